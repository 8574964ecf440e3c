//! A bare HTTP client: what it does not hide is what the tests are about.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatekeeper_testkit::{Endpoint, Fault, Server, System};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Long enough for any machine, so that a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub(crate) fn plain(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn tls_over(server: &Server, stream: TcpStream, name: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = server.ca().expect("a TLS server").der().to_vec();
    roots.add(CertificateDer::from(ca)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, stream)
}

pub(crate) fn connect(server: &Server) -> Box<dyn Stream> {
    let stream = plain(server);
    match server.ca() {
        None => Box::new(stream),
        Some(_) => Box::new(tls_over(server, stream, "localhost")),
    }
}

#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: vec![("Host".into(), "localhost".into())],
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.method != "GET" {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, server: &Server) -> Reply {
        self.try_send(&mut *connect(server)).unwrap()
    }

    pub(crate) fn try_send(&self, stream: &mut dyn Stream) -> io::Result<Reply> {
        stream.write_all(&self.bytes())?;
        stream.flush()?;
        read_reply(stream)
    }

    /// Sends it and reads until the connection ends.
    pub(crate) fn raw(&self, server: &Server) -> (Vec<u8>, io::Result<()>) {
        let mut stream = connect(server);
        stream.write_all(&self.bytes()).unwrap();
        stream.flush().unwrap();
        read_to_end(&mut *stream)
    }
}

/// What came, and how it ended.
pub(crate) fn read_to_end(stream: &mut dyn Stream) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return (all, Ok(())),
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(e) => return (all, Err(e)),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn access_token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn refresh_token(&self) -> String {
        self.json()["refresh_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let code = json["error"].as_str().or(json["error_code"].as_str());
        code.unwrap_or_default().to_owned()
    }
}

/// Reads one proper response framed by length, chunks or the end of the connection.
pub(crate) fn read_reply(stream: &mut dyn Stream) -> io::Result<Reply> {
    let mut buffer = Vec::new();
    let mut byte = [0];
    while !buffer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        buffer.push(byte[0]);
    }
    let head = String::from_utf8(buffer).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status_line = lines.next().unwrap();
    let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: Vec::new() };
    if let Some(length) = reply.header("content-length") {
        reply.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut reply.body)?;
    } else if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = read_chunks(stream)?;
    } else if status != 204 {
        let (body, end) = read_to_end(stream);
        end?;
        reply.body = body;
    }
    Ok(reply)
}

fn read_chunks(stream: &mut dyn Stream) -> io::Result<Vec<u8>> {
    let line = |stream: &mut dyn Stream| -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8(line).unwrap().trim_end().to_owned())
    };
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let size = size.split(';').next().unwrap();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk)?;
        body.extend(chunk);
        if size == 0 {
            while !line(stream)?.is_empty() {}
            return Ok(body);
        }
        assert_eq!(line(stream)?, "");
    }
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The header that the server's default client sends.
pub(crate) fn default_basic(server: &Server) -> String {
    let encode = |text: &str| -> String {
        if server.system() == System::Generic {
            form_urlencoded::byte_serialize(text.as_bytes()).collect()
        } else {
            text.to_owned()
        }
    };
    basic(&encode(&server.client_id()), &encode(&server.client_secret()))
}

/// A token request as the system wants it, with those parameters.
pub(crate) fn token_call(server: &Server, parameters: &[(&str, &str)]) -> Call {
    let mut target = token_path(server);
    if let Some(brand) = server.brand_key() {
        target += &format!("?{}", form(&[(&brand.name, &brand.value)]));
    }
    Call::new("POST", &target)
        .header("Authorization", &default_basic(server))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Accept", "application/json")
        .body(&form(parameters))
}

pub(crate) fn token_path(server: &Server) -> String {
    format!("{}{}", server.settings().context_path, server.system().token_path())
}

pub(crate) fn token_request(server: &Server) -> Call {
    token_call(server, &[("grant_type", "client_credentials")])
}

pub(crate) fn get_token(server: &Server) -> Reply {
    token_request(server).send(server)
}

/// What a token request gets, byte for byte, if the client asks for the connection to be closed.
pub(crate) fn token_bytes(server: &Server, fault: Fault) -> String {
    server.script().next(Endpoint::Token, fault);
    let closing = token_request(server).header("Connection", "close");
    let (bytes, end) = closing.raw(server);
    end.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The head and what follows it.
pub(crate) fn split(response: &str) -> (&str, &str) {
    response.split_once("\r\n\r\n").unwrap()
}

/// The system with the fewest peculiarities.
pub(crate) fn opaque_server() -> Server {
    Server::start(System::OauthV2).unwrap()
}

/// An API call as the system wants it.
pub(crate) fn api_call(server: &Server, path: &str, token: &str) -> Call {
    let target = format!("{}{path}", server.settings().context_path);
    let mut call = Call::new("GET", &target).header("Authorization", &format!("Bearer {token}"));
    if let Some(key) = server.api_key() {
        call = call.header("x-api-key", &key);
    }
    let settings = server.settings();
    if let (Some(name), Some(brand)) = (settings.brand_header, settings.brand_key) {
        call = call.header(&name, &brand.value);
    }
    call
}
