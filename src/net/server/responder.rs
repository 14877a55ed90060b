//! The metrics over HTTP/1.0, as little of it as Prometheus needs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Shared;
use crate::net::NetError;

/// Most bytes of a request that are read.
const REQUEST_LEN_MAX: usize = 4 << 10;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens, and answers one after the other for as long as the runtime lives.
pub(super) async fn serve(address: SocketAddr, shared: Arc<Shared>) -> Result<SocketAddr, NetError> {
    let failed = |source| NetError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                // Whoever does not read the answer does not need it.
                Ok((stream, _)) => drop(timeout(PATIENCE, answer(&stream, &shared)).await),
                // No descriptors are left, most likely.
                Err(_) => tokio::time::sleep(PATIENCE).await,
            }
        }
    });
    Ok(bound)
}

async fn answer(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let request = read_head(stream).await?;
    let response = match first_words(&request) {
        Some(("GET", "/metrics" | "/")) => response("200 OK", &shared.metrics.text(shared.held())),
        Some(("GET", _)) => response("404 Not Found", "The metrics are at /metrics.\n"),
        _ => response("405 Method Not Allowed", "Only GET is answered here.\n"),
    };
    write_all(stream, response.as_bytes()).await
}

fn response(status: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.0 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn first_words(request: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(request).ok()?.lines().next()?;
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?))
}

/// Reads up to the empty line behind the head.
async fn read_head(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < REQUEST_LEN_MAX && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await?;
        let mut piece = [0; 1024];
        match stream.try_read(&mut piece) {
            Ok(0) => break,
            Ok(len) => head.extend_from_slice(&piece[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
