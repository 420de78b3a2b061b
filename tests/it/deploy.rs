//! What stands in `examples/deploy/` is true.

use crate::support::nginx;

#[test]
fn nginx_accepts_the_configuration_as_it_stands() {
    let key = rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).unwrap();
    nginx::check(&key.cert.pem(), &key.signing_key.serialize_pem()).unwrap();
}
