//! Opens connections: to one server, through Sentinels, or to a Cluster.

use std::time::Duration;

use idp_bridge_core::Secret;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};

use super::settings::{RedisServer, RedisSettings, RedisTopology};

/// The time limit of an attempt to connect.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// The time limit of a command to a node of a Cluster.
const NODE: Duration = Duration::from_secs(1);

/// The number of commands that wait to be sent. Further ones wait for a place.
const SEND_BUFFER: usize = 1_024;

/// The client that opens connections.
pub(super) enum Target {
    Single(Client),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

/// An open connection. Its clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Target {
    /// Creates the clients. Fails if the settings are invalid.
    pub(super) fn new(settings: &RedisSettings) -> RedisResult<Self> {
        if settings.uses_tls {
            // Fails if the program has chosen a provider already.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        match &settings.topology {
            RedisTopology::Single => single(settings).map(Self::Single),
            RedisTopology::Sentinel { master, password } => {
                Ok(Self::Sentinel(tokio::sync::Mutex::new(sentinel(settings, master, password.as_ref())?)))
            }
            RedisTopology::Cluster => cluster(settings).map(Self::Cluster),
        }
    }

    /// Opens a connection.
    pub(super) async fn open(&self) -> RedisResult<Connection> {
        // Each operation has its own time limit.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(CONNECT))
            .set_pipeline_buffer_size(SEND_BUFFER);
        Ok(match self {
            Self::Single(client) => {
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Self::Sentinel(client) => {
                Connection::Server(client.lock().await.get_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }
}

fn single(settings: &RedisSettings) -> RedisResult<Client> {
    let Some(server) = settings.servers.first() else {
        return Err((redis::ErrorKind::InvalidClientConfig, "no server is configured").into());
    };
    let info = to_info(settings, server)?;
    match certificates(settings) {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

fn sentinel(settings: &RedisSettings, master: &str, own_password: Option<&Secret>) -> RedisResult<SentinelClient> {
    let addresses = settings.servers.iter().map(|server| to_address(settings, server));
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.database.into())
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_sentinel_tcp_settings(tcp());
    if let Some(certificates) = certificates(settings) {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    if let Some(username) = &settings.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password.expose());
    }
    if let Some(password) = own_password {
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    builder.build()
}

fn cluster(settings: &RedisSettings) -> RedisResult<ClusterClient> {
    let nodes = settings.servers.iter().map(|server| to_info(settings, server));
    let builder = ClusterClientBuilder::new(nodes.collect::<RedisResult<Vec<_>>>()?)
        .connection_timeout(NODE)
        .response_timeout(NODE)
        .tcp_settings(tcp());
    match certificates(settings) {
        Some(certificates) => builder.certs(certificates).build(),
        None => builder.build(),
    }
}

/// Returns the certificate authorities, if connections use TLS.
fn certificates(settings: &RedisSettings) -> Option<TlsCertificates> {
    let certificates = TlsCertificates { client_tls: None, root_cert: settings.ca_pem.clone() };
    settings.uses_tls.then_some(certificates)
}

fn to_address(settings: &RedisSettings, server: &RedisServer) -> ConnectionAddr {
    let RedisServer { host, port } = server.clone();
    if settings.uses_tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn to_info(settings: &RedisSettings, server: &RedisServer) -> RedisResult<ConnectionInfo> {
    let mut login = RedisConnectionInfo::default().set_db(settings.database.into());
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.expose());
    }
    let info = to_address(settings, server).into_connection_info()?;
    Ok(info.set_redis_settings(login).set_tcp_settings(tcp()))
}

fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}
