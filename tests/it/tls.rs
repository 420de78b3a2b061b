//! Redis behind TLS, and what stands in for Upstash.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::cluster::Cluster;
use crate::support::free_port;
use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;

/// A certificate for `localhost` that only this test trusts, and its key.
pub(crate) fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

/// The same under a name of its own: OpenSSL looks authorities up by name.
fn certificate_of(name: &str, folder: &Path) -> (PathBuf, PathBuf) {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let own_key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&own_key).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.pem()).unwrap();
    fs::write(&key, own_key.serialize_pem()).unwrap();
    (certificate, key)
}

/// Opens a TLS port beside the plain one.
pub(crate) fn with_tls(redis: &RedisServer, certificate: &Path, key: &Path) -> u16 {
    for (setting, file) in [
        ("cert", certificate),
        ("key", key),
        ("ca-cert", certificate),
    ] {
        let (setting, file) = (format!("tls-{setting}-file"), file.display());
        redis.run::<()>(&format!("CONFIG SET {setting} {file}"));
    }
    redis.run::<()>("CONFIG SET tls-auth-clients no");
    let port = free_port();
    redis.run::<()>(&format!("CONFIG SET tls-port {port}"));
    port
}

/// Signs in over TLS and finds the session in Redis.
fn assert_works(redis: &RedisServer, variables: &[(&str, &str)]) {
    let program = Program::start(variables);
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
    assert!(
        redis.keys().contains(&format!("session:{id}")),
        "{variables:?}"
    );
}

#[test]
fn a_server_that_the_system_trusts_is_used_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &certificate, &key);
    let url = format!("rediss://localhost:{port}");
    // What the system trusts, as OpenSSL's own variable says it.
    let trusted = ("SSL_CERT_FILE", certificate.to_str().unwrap());
    assert_works(&redis, &[("REDIS_URL", &url), trusted]);

    let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let elsewhere = format!("rediss://127.0.0.1:{port}");
    for variables in [
        &[("REDIS_URL", url.as_str())][..],
        // The certificate is not for this name.
        &[("REDIS_URL", &elsewhere), trusted],
    ] {
        let program = Program::start(variables);
        assert_eq!(
            http::profile_status(program.port(), unknown),
            503,
            "{variables:?}"
        );
    }
}

/// T31: the token is the password of the user `default`, and may hold what means something in a URL.
#[test]
fn upstash_works_with_the_two_lines_of_the_tutorials_own_env_file() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &certificate, &key);
    let token = "AX/+=:@?#%41";
    let env = format!(
        "UPSTASH_REDIS_REST_URL=https://localhost:{port}\nUPSTASH_REDIS_REST_TOKEN='{token}'\n"
    );
    fs::write(folder.path().join(".env"), env).unwrap();
    redis.run::<()>(&format!("ACL SETUSER default resetpass >{token}"));

    let trusted = ("SSL_CERT_FILE", certificate.to_str().unwrap());
    let program = Program::start_in(folder.path(), &[trusted]);
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
    assert!(!program.log().contains(token));
}

/// Besides the system's: what the system trusts goes on being trusted.
#[test]
fn an_authority_of_its_own_is_trusted_besides_the_systems() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &ours, &key);
    let elsewhere = tempfile::tempdir().unwrap();
    let (another, _) = certificate(elsewhere.path());
    let url = format!("rediss://innkeeper:least@localhost:{port}");
    for (file, system) in [(&ours, &another), (&another, &ours)] {
        let variables = [
            ("REDIS_URL", url.as_str()),
            ("INNKEEPER_REDIS_CA_FILE", file.to_str().unwrap()),
            ("SSL_CERT_FILE", system.to_str().unwrap()),
        ];
        assert_works(&redis, &variables);
    }

    let unreadable = folder.path().join("key.pem");
    for file in ["missing.pem", unreadable.to_str().unwrap()] {
        let variables = [
            ("REDIS_URL", url.as_str()),
            ("INNKEEPER_REDIS_CA_FILE", file),
        ];
        let said = Program::refusal(elsewhere.path(), &variables);
        assert!(
            said.contains("redis_ca_file") && said.contains(file),
            "{said}"
        );
    }
}

/// `tls-auth-clients yes`, Redis' own default.
#[test]
fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &ours, &key);
    let [clients, strangers] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let (client, client_key) = certificate_of("a client", clients.path());
    let (stranger, stranger_key) = certificate_of("a stranger", strangers.path());
    let known = folder.path().join("known.pem");
    let both = [&ours, &client].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&known, both.concat()).unwrap();
    redis.run::<()>(&format!("CONFIG SET tls-ca-cert-file {}", known.display()));
    redis.run::<()>("CONFIG SET tls-auth-clients yes");

    let url = format!("rediss://innkeeper:least@localhost:{port}");
    let to_server = [
        ("REDIS_URL", url.as_str()),
        ("INNKEEPER_REDIS_CA_FILE", ours.to_str().unwrap()),
    ];
    let shown = |certificate: &Path, key: &Path| {
        let mut variables = to_server
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec();
        variables.push((
            "INNKEEPER_REDIS_CERT_FILE",
            certificate.display().to_string(),
        ));
        variables.push(("INNKEEPER_REDIS_KEY_FILE", key.display().to_string()));
        variables
    };
    let variables = shown(&client, &client_key);
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_works(&redis, &variables);

    let unknown = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let variables = shown(&stranger, &stranger_key);
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    for variables in [&to_server[..], &variables] {
        let program = Program::start(variables);
        assert_eq!(
            http::profile_status(program.port(), unknown),
            503,
            "{variables:?}"
        );
    }

    let missing = folder.path().join("missing.pem");
    for (certificate, key, setting) in [
        (&missing, &client_key, "redis_cert_file"),
        (&client_key, &client_key, "redis_cert_file"),
        (&client, &missing, "redis_key_file"),
        (&client, &client, "redis_key_file"),
        (&client, &stranger_key, "redis_key_file"),
    ] {
        let variables = shown(certificate, key);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let said = Program::refusal(clients.path(), &variables);
        assert!(said.contains(&format!("`{setting}`")), "{setting}: {said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
    let alone = [
        to_server[0],
        ("INNKEEPER_REDIS_CERT_FILE", client.to_str().unwrap()),
    ];
    let said = Program::refusal(clients.path(), &alone);
    assert!(said.contains("needs `redis_key_file`"), "{said}");
}

/// A file of authorities says whom to trust where there is TLS, and not that there is.
#[test]
fn an_authority_turns_no_tls_on() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, _) = certificate(folder.path());
    let cluster = Cluster::start();
    let url = cluster.url();
    let program = Program::start(&[
        ("REDIS_URL", &url),
        ("INNKEEPER_REDIS_CA_FILE", ours.to_str().unwrap()),
    ]);
    let id = http::log_in(program.port(), "abdullah");
    assert_eq!(http::profile_status(program.port(), &id), 200);
}

/// One that nobody can read is no reason to trust none of the others; one of ours that nobody can read is told as such.
#[test]
fn a_certificate_that_cannot_be_read_is_not_taken_for_a_bad_address() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, key) = certificate(folder.path());
    let redis = RedisServer::start();
    let port = with_tls(&redis, &ours, &key);
    let odd = folder.path().join("odd.pem");
    fs::write(
        &odd,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let url = format!("rediss://innkeeper:least@localhost:{port}");
    let of_the_system = ("SSL_CERT_FILE", odd.to_str().unwrap());
    let file = |file: &'static str| ("INNKEEPER_REDIS_CA_FILE", file);
    let trusted = ("INNKEEPER_REDIS_CA_FILE", ours.to_str().unwrap());
    assert_works(&redis, &[("REDIS_URL", &url), trusted, of_the_system]);

    fs::copy(&odd, folder.path().join("ca.pem")).unwrap();
    let cluster = url.replace("rediss://", "rediss-cluster://");
    for url in [&url, &cluster] {
        let said = Program::refusal(folder.path(), &[("REDIS_URL", url), file("ca.pem")]);
        assert!(
            said.contains("`redis_ca_file`") && said.contains("ca.pem"),
            "{said}"
        );
        assert!(!said.contains("REDIS_URL"), "{said}");
    }
}
