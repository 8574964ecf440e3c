//! Serves one system until standard input ends, for clients in other languages.
//!
//! ```sh
//! cargo run -p gatekeeper-testkit --example serve -- rator
//! cargo run -p gatekeeper-testkit --example serve -- gatekeeper tls
//! ```
//!
//! Prints what a client needs to know as `NAME='value'` lines, and at the end what the server saw.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::io::{self, Read};

use gatekeeper_testkit::{Server, System};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map_or("gatekeeper", String::as_str);
    let Some(system) = System::ALL.into_iter().find(|s| s.name() == wanted) else {
        let names = System::ALL.map(System::name).join(", ");
        return Err(io::Error::other(format!("{wanted} is none of {names}")));
    };
    let mut builder = Server::builder(system);
    if arguments.iter().any(|argument| argument == "tls") {
        builder = builder.tls();
    }
    let server = builder.start()?;

    show("TOKEN_URL", &server.token_url());
    show("WHOAMI_URL", &server.api_url("/api/whoami"));
    show("CLIENT_ID", &server.client_id());
    show("CLIENT_SECRET", &server.client_secret());
    if let Some(key) = server.api_key() {
        show("API_KEY", &key);
    }
    if let Some(brand) = server.brand_key() {
        show("BRAND_KEY_NAME", &brand.name);
        show("BRAND_KEY", &brand.value);
    }
    if let Some(user) = server.user() {
        show("USERNAME", &user.username);
        show("PASSWORD", &user.password);
    }
    if let Some(ca) = server.ca() {
        show("CA", ca.pem());
    }

    io::stdin().read_to_end(&mut Vec::new())?;
    println!("{:#?}", server.counts());
    Ok(())
}

/// The default credentials hold no quotation mark, so nothing has to be escaped.
fn show(name: &str, value: &str) {
    println!("{name}='{value}'");
}
