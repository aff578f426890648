// The sessions of browsers, in memory: a restart forgets them.

import { randomBytes } from 'node:crypto'

const COOKIE = 'federation_app'
// Anybody may begin a login, so the oldest session goes before memory does.
const MOST = 10_000

export class Sessions {
  #sessions = new Map()

  /** What is known of the browser that sent this request. */
  get(request) {
    return this.#sessions.get(idOf(request)) ?? {}
  }

  /** Replaces what is known of this browser, under an id that nobody has seen before. */
  set(request, response, session) {
    this.#sessions.delete(idOf(request))
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, session)
    if (this.#sessions.size > MOST) this.#sessions.delete(this.#sessions.keys().next().value)
    // Lax, since the browser comes back from the identity provider by a link; other sites' forms send no cookie.
    response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`)
  }

  /** Forgets this browser. */
  delete(request, response) {
    this.#sessions.delete(idOf(request))
    response.setHeader('set-cookie', `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
  }
}

function idOf(request) {
  const cookies = (request.headers.cookie ?? '').split('; ')
  return cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
}
