/** Of the original whose behaviour this is. */
export const HELPER_VERSION = '1.8.5'
