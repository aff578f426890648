//! A tenant's HTTP client, with limits on time, size, attempts and addresses.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallScope, OutboundPolicy, Result, UpstreamCounters};

use crate::request::Request;
use crate::resolver::CheckedResolver;
use crate::response::Response;
use crate::sender::Sender;
use crate::{BaseUrl, tls};

/// A tenant's HTTP client. Cheap to clone.
///
/// Each tenant has its own connection pool, so that a slow identity provider affects only its tenant. The TLS configuration is
/// shared, except with policies that have their own certificate authority or a client certificate. Connections use HTTP/2 if
/// the identity provider offers it (ALPN).
//
// A trait object, since the compiler checks for each async function of a connector that its client is `Send`. With the type
// itself it would check those of connections, TLS and DNS each time, which took about half of the compile time.
#[derive(Clone)]
pub struct Client(Arc<dyn AsRef<Sender> + Send + Sync>);

impl Client {
    /// Creates a client for a policy. Fails with `Misconfigured` and a hint if a certificate, its key or the proxy is invalid.
    ///
    /// A proxy resolves host names itself and must check their addresses.
    pub fn new(policy: &OutboundPolicy) -> Result<Self> {
        Self::with_resolver(policy, CheckedResolver::new(policy.private_networks))
    }

    fn with_resolver(policy: &OutboundPolicy, resolver: CheckedResolver) -> Result<Self> {
        Ok(Self(Arc::new(Sender::new(policy, resolver)?)))
    }

    /// Loads the system's certificate authorities if requests to this URL need them.
    ///
    /// Fails with `Misconfigured` and a hint if there are none. Otherwise the first request loads them, once per process.
    pub fn prepare(&self, base: &BaseUrl) -> Result<()> {
        if base.as_url().scheme() == "https" && self.sender().needs_system_store {
            tls::load_system_store()
        } else {
            Ok(())
        }
    }

    fn sender(&self) -> &Sender {
        (*self.0).as_ref()
    }

    /// Returns the counters of the tenant's requests.
    pub(crate) fn counters(&self) -> &UpstreamCounters {
        &self.sender().counters
    }

    /// Returns the policy's time limit for shared fetches.
    pub(crate) fn fetch_timeout(&self) -> Duration {
        self.sender().fetch_timeout
    }

    /// Sends a request and reads the response. Retries if this is safe and the deadline allows it.
    ///
    /// # Behavior
    ///
    /// - A response of any status is `Ok`, including a redirect (which is not followed) and a 429.
    /// - A read without a response after half of the remaining time is sent a second time. The first response is returned.
    /// - A request beyond the limit of connections waits for another one to end. A second request is then not sent.
    /// - Retries and second requests are limited to a share of the requests (see [`UpstreamLimits`](idp_bridge_core::UpstreamLimits)).
    /// - A host that is down gets single requests. All others fail with its last error and a retry hint, and are not sent.
    /// - No response before the scope's deadline is `Timeout`. A failed or broken connection is `Unavailable`.
    /// - A response that is not HTTP or larger than [`MAX_BODY`](crate::MAX_BODY) is `InvalidResponse`.
    /// - An untrusted certificate, or an address that the policy refuses, is `Misconfigured`.
    /// - Each attempt sends its own `traceparent` if the scope's call has a trace.
    /// - The recorder counts one request and each attempt. A write is recorded before it is sent, and as refused if there was no
    ///   connection or the status is a 4xx other than 408 (see [`Request::classify_with`]).
    pub async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        scope.recorder().count_request();
        self.send_counted(scope, &request, &mut 0).await
    }

    /// Sends a request that the recorder has counted already. `sent` is the number of attempts so far.
    ///
    /// The future is boxed, so that its code is compiled in this crate alone, and not in each connector.
    pub(crate) fn send_counted<'a>(
        &'a self,
        scope: &'a CallScope,
        request: &'a Request,
        sent: &'a mut u32,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        Box::pin(async move {
            let result = self.sender().send(scope, request, sent).await;
            result.map_err(|error| {
                let host = request.parts.url.base().host_str().unwrap_or_default().to_owned();
                error.with("host", host).with("attempts", sent.to_string())
            })
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use idp_bridge_core::{ErrorKind, PrivateNetworks};
    use tokio::time::timeout;
    use url::Url;

    use super::*;

    #[tokio::test]
    async fn name_of_refused_address_is_misconfigured() {
        // The URL is allowed. The resolver refuses the address.
        let resolver = CheckedResolver::new(PrivateNetworks::Deny);
        let client = Client::with_resolver(&OutboundPolicy::default(), resolver).unwrap();
        let scope = CallScope::new("r-1", Duration::from_secs(30));
        let url = Url::parse("http://localhost:9/users?email=ada").unwrap();
        let error = client.send(&scope, Request::delete(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("private_networks")));
        assert_eq!(scope.recorder().attempts(), 1);
        assert_eq!(scope.recorder().outcome(), idp_bridge_core::Outcome::NotApplied);
        assert!(!format!("{error:?}").contains("ada"), "{error:?}");
    }

    #[test]
    fn future_of_a_request_is_small() {
        // Each call copies it into its box.
        let client = Client::new(&OutboundPolicy::default()).unwrap();
        let scope = CallScope::new("r-1", Duration::from_secs(30));
        let (request, mut sent) = (Request::get(Url::parse("http://localhost:9/").unwrap()), 0);
        let size = size_of_val(&*client.send_counted(&scope, &request, &mut sent));
        assert!(size < 2304, "{size} bytes");
    }

    #[test]
    fn dead_name_server_holds_up_no_other_tenant() {
        // More lookups than the runtime has blocking threads.
        const LOOKUPS: usize = 600;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let policy = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
        let resolver = CheckedResolver::with_name_server(PrivateNetworks::Allow, silent.local_addr().unwrap());
        let dead = Client::with_resolver(&policy, resolver).unwrap();
        let healthy = Client::new(&policy).unwrap();
        runtime.block_on(async {
            for _ in 0..LOOKUPS {
                let client = dead.clone();
                tokio::spawn(async move {
                    let url = Url::parse("http://login.acme.example/userinfo").unwrap();
                    client.send(&CallScope::new("r-1", Duration::from_secs(30)), Request::get(url)).await
                });
            }
            // The lookups are running once the name server has received a query.
            let silent = silent.try_clone().unwrap();
            tokio::task::spawn_blocking(move || silent.recv(&mut [0; 512])).await.unwrap().unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = Url::parse(&format!("http://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
            let scope = CallScope::new("r-2", Duration::from_secs(2));
            let (answer, ()) = tokio::join!(healthy.send(&scope, Request::get(url)), async {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                // A socket that is closed with unread bytes resets its connection.
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            });
            assert_eq!(answer.unwrap().status, StatusCode::NO_CONTENT);
            timeout(Duration::from_secs(1), tokio::task::spawn_blocking(|| ())).await.unwrap().unwrap();
        });
        let begun = std::time::Instant::now();
        drop(runtime);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn proxies_are_checked_and_passwords_hidden() {
        let client =
            |proxy: &str| Client::new(&OutboundPolicy { proxy: Some(proxy.to_owned()), ..OutboundPolicy::default() });
        for good in ["http://proxy.example:3128", "https://10.0.0.1:3128", "http://me:hunter2@127.0.0.1:3128"] {
            assert!(client(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "proxy.example:3128",
            "socks5://proxy.example",
            "http://",
            "http://me:hunter2@169.254.169.254",
            "http://[::]:1",
        ] {
            let error = client(bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{bad}");
            assert!(!format!("{error:?}").contains("hunter2"), "{bad}");
        }
    }
}
