// Errors with a message for the user.

export class Problem extends Error {
  /**
   * @param {number} status the status of the error page
   * @param {string} title the error
   * @param {{detail?: string, hint?: string, cause?: unknown}} more the received details, and the next step
   */
  constructor(status, title, { detail, hint, cause } = {}) {
    super(title, { cause })
    this.status = status
    this.detail = detail
    this.hint = hint
  }
}

/** The token was rejected: it must be refreshed, or its login has ended. */
export class TokenRefused extends Error {}

/** Returns the innermost cause of an error, since the message of `fetch` is always "fetch failed". */
export function reason(error) {
  let innermost = error
  while (innermost.cause instanceof Error) innermost = innermost.cause
  return innermost.code && !innermost.message?.includes(innermost.code)
    ? `${innermost.message || 'connection failed'} (${innermost.code})`
    : innermost.message
}
