// The login at the identity provider: authorization code with PKCE, implemented by `openid-client`.

import * as oidc from 'openid-client'

import { Problem, reason, TokenRefused } from './problem.js'

const SCOPE = 'openid profile email'

export class Login {
  #configuration

  constructor(settings, bridge) {
    this.settings = settings
    this.bridge = bridge
    this.redirectUri = `${settings.url}/callback`
  }

  /** Returns the URL of the login page, and the values to keep until the browser returns. */
  async begin() {
    const { client, scope } = await this.#discover()
    const pending = {
      codeVerifier: oidc.randomPKCECodeVerifier(),
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
    }
    const url = oidc.buildAuthorizationUrl(client, {
      redirect_uri: this.redirectUri,
      scope,
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
      state: pending.state,
      nonce: pending.nonce,
    })
    return { url, pending }
  }

  /** Exchanges the code for tokens. The library makes all checks. */
  async finish(currentUrl, pending) {
    const { client } = await this.#discover()
    try {
      return await oidc.authorizationCodeGrant(client, currentUrl, {
        pkceCodeVerifier: pending.codeVerifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      })
    } catch (error) {
      throw failed(error)
    }
  }

  /** Refreshes the tokens. */
  async refresh(tokens) {
    if (!tokens.refresh_token) throw new TokenRefused('there is no refresh token')
    const { client } = await this.#discover()
    try {
      return { ...tokens, ...(await oidc.refreshTokenGrant(client, tokens.refresh_token)) }
    } catch (error) {
      if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') {
        throw new TokenRefused(error.error_description)
      }
      throw failed(error)
    }
  }

  /** Returns the identity provider's configuration, which is fetched once. */
  async #discover() {
    this.#configuration ??= this.#fetchConfiguration().catch((error) => {
      this.#configuration = undefined
      throw error
    })
    return this.#configuration
  }

  async #fetchConfiguration() {
    const { settings } = this
    const published = settings.issuer ? {} : await this.bridge.metadata()
    const issuer = settings.issuer ?? published.issuer
    if (!issuer) {
      throw new Problem(500, 'The issuer is not configured', {
        hint: 'Set `metadata = true` at the bridge, or start this application with `--issuer`.',
      })
    }
    const scope = settings.scope ?? published.scopes?.join(' ') ?? SCOPE
    const authentication = settings.clientSecret ? oidc.ClientSecretBasic(settings.clientSecret) : oidc.None()
    const options = { execute: isLoopback(issuer) ? [oidc.allowInsecureRequests] : [] }
    try {
      const client = await oidc.discovery(new URL(issuer), settings.clientId, {}, authentication, options)
      return { client, scope }
    } catch (error) {
      throw new Problem(502, 'The identity provider does not answer', {
        detail: `${issuer}: ${reason(error)}`,
        hint: 'Try again in a moment.',
        cause: error,
      })
    }
  }
}

/** Returns whether the issuer is on this machine. Plain HTTP is allowed there only. */
function isLoopback(issuer) {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(issuer).hostname)
}

function failed(error) {
  if (error instanceof oidc.AuthorizationResponseError) {
    const detail = [error.error, error.error_description].filter(Boolean).join(': ')
    return new Problem(403, 'The identity provider did not log you in', { detail, cause: error })
  }
  if (error instanceof oidc.ResponseBodyError) {
    const detail = [error.error, error.error_description].filter(Boolean).join(': ')
    const hint = 'Check the client secret, and that this address is one of the client\'s redirect URIs.'
    return new Problem(502, 'The identity provider refuses this application', { detail, hint, cause: error })
  }
  return new Problem(502, 'The login could not be finished', { detail: reason(error), hint: 'Log in again.', cause: error })
}
