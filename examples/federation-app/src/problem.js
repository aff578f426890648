// What went wrong, told so that the person before the browser knows what it means for them.

export class Problem extends Error {
  /**
   * @param {number} status the status of the page that tells of it
   * @param {string} title what went wrong
   * @param {{detail?: string, hint?: string, cause?: unknown}} more what was heard, and the next step
   */
  constructor(status, title, { detail, hint, cause } = {}) {
    super(title, { cause })
    this.status = status
    this.detail = detail
    this.hint = hint
  }
}

/** The token is not good, or no longer: its login is over, or there is a fresh token to be had. */
export class TokenRefused extends Error {}

/** Why `fetch` failed: the reason lies below its own "fetch failed". */
export function reason(error) {
  let innermost = error
  while (innermost.cause instanceof Error) innermost = innermost.cause
  return innermost.code && !innermost.message?.includes(innermost.code)
    ? `${innermost.message || 'connection failed'} (${innermost.code})`
    : innermost.message
}
