/** Headers by which some frameworks let a client ask for another method, in lower case. A route may let them pass. */
export const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;
