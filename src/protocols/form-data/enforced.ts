/**
 * The limits that `parseFormData` enforces on the requests of a server.
 */
import type { SafetyLimitName } from "../../limits/safety-limits.ts";

export const enforcedOnForms: readonly SafetyLimitName[] = [
  "maxFormDataFields",
  "maxFormDataFieldLength",
  "maxFormDataFiles",
  "maxFormDataFileLength",
  "formDataFileMemoryThreshold",
  "maxFormDataParts",
  "maxFormDataHeaderLength",
];
