//! HTTP: requests, answers and guards are known only here.

mod assets;
mod audit;
mod body;
mod catchers;
mod cookie;
mod current_session;
mod device;
mod explanation;
mod headers;
mod logging;
mod method;
mod metrics;
mod metrics_listener;
mod moment;
mod negotiate;
mod next;
mod openapi;
mod pages;
mod passive_session;
mod refusal;
mod request_id;
mod request_sessions;
mod routes;
mod same_origin;
mod shutdown;
mod stage;
mod trace;
mod visitor;
mod watch;

pub use current_session::CurrentSession;
pub use logging::start as start_logging;
pub use pages::templates;
pub use passive_session::PassiveSession;
pub use refusal::Refusal;
pub use same_origin::SameOrigin;
pub use stage::{rocket, stage, stage_with_own_templates};
