//! The tutorial's own client, in its own language, against the running program.

use crate::support::program::Program;
use crate::support::python;
use crate::support::redis::RedisServer;

fn run_the_script_against(program: &Program) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tutorial.py");
    let output = python::with("requests", "apt-get install python3-requests")
        .args([script, &program.url()])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}{complaint}");

    let id = lines[0]
        .split("'session_id': '")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .unwrap();
    assert!(innkeeper::SessionId::parse(id).is_some(), "{printed}");
    assert_eq!(
        lines,
        [
            format!(
                "Login Response: {{'message': 'Logged in successfully', 'session_id': '{id}'}}"
            )
            .as_str(),
            format!(
                "Access Profile Response: {{'session_id': '{id}', \
                 'session_data': {{'user': 'abdullah', 'status': 'active'}}}}"
            )
            .as_str(),
            "Logout Response: {'message': 'Logged out successfully'}",
            r#"Access Profile After Logout Response: {"detail":"Session expired"}"#,
        ]
    );
}

#[test]
fn it_works_on_the_embedded_store() {
    run_the_script_against(&Program::start(&[]));
}

#[test]
fn it_works_on_redis() {
    let redis = RedisServer::start();
    run_the_script_against(&Program::start(&[("REDIS_URL", &redis.url())]));
    assert!(
        redis
            .keys()
            .iter()
            .all(|key| key.starts_with("ended_session:"))
    );
}
