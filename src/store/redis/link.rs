//! What commands are sent over: a connection to one server, or to a cluster.

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::{
    ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd,
};

/// Clones share the connection.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    /// Sends commands (to a cluster: of one key) in one piece, and returns the answer of each, errors among them.
    pub(super) async fn send(&mut self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(connection) => {
                connection
                    .req_packed_commands(commands, 0, commands.len())
                    .await
            }
            Self::Cluster(connection) => send_to_cluster(connection, commands).await,
        }
    }
}

/// While a slot moves, its new node takes only a command that comes right behind `ASKING`.
///
/// The client announces a pipeline once, and on a connection where others' commands may come in between. So what
/// it could not bring through is sent again with an announcement before each command.
async fn send_to_cluster(
    connection: &mut ClusterConnection,
    commands: &Pipeline,
) -> RedisResult<Vec<Value>> {
    let mut single = commands.cmd_iter();
    let sent = match (single.next(), single.next()) {
        // Only by itself a command without a key is put to all primaries (`DBSIZE`).
        (Some(only), None) => {
            let answer = connection.req_packed_command(only).await;
            answer.map(|answer| vec![answer])
        }
        _ => {
            connection
                .req_packed_commands(commands, 0, commands.len())
                .await
        }
    };
    let Err(error) = &sent else {
        return sent;
    };
    if !is_redirect(error) {
        return sent;
    }
    let mut announced = Pipeline::with_capacity(2 * commands.len());
    for command in commands.cmd_iter() {
        announced
            .add_command(cmd("ASKING"))
            .add_command(command.clone());
    }
    let answers = connection
        .req_packed_commands(&announced, 0, announced.len())
        .await?;
    Ok(answers.into_iter().skip(1).step_by(2).collect())
}

fn is_redirect(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Ask | ServerErrorKind::Moved)
    )
}
