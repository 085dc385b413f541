// SPDX-License-Identifier: MIT OR Apache-2.0
//! Webhooks, to a web server of the test that fails first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use emotion_publish::session::Publisher;
use emotion_publish::tls::Login;
use emotion_publish::webhook::Webhook;
use emotion_publish::{Limits, Location, Outbox};

/// The time limit for everything that tests wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request: its head in lower case, and its body.
type Received = (String, String);

/// A web server that answers its requests with these texts, one after another, the last one from then on. After an empty text, or one that
/// says so, it closes the connection.
fn serve(answers: &'static [&str]) -> (u16, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, (requests, received)) = (listener.local_addr().unwrap().port(), channel());
    std::thread::spawn(move || {
        let mut answers = answers.iter().chain(std::iter::repeat(answers.last().unwrap()));
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            while let Some(request) = read(&mut reader) {
                let answer = answers.next().unwrap();
                if requests.send(request).is_err() || reader.get_mut().write_all(answer.as_bytes()).is_err() {
                    return;
                }
                if answer.is_empty() || answer.contains("connection: close") {
                    break;
                }
            }
        }
    });
    (port, received)
}

/// The next request of a connection; `None` at its end.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

fn publisher(port: u16) -> Publisher {
    let location = Location::parse(&format!("http://127.0.0.1:{port}/in")).unwrap();
    let login = Login { client_id: "test".into(), password: Some("secret".into()), tls: None };
    let outbox = Outbox::open(&Limits { max_bytes: 1 << 20, spool: None }).unwrap();
    Publisher::start(outbox, Webhook::new(location, login).unwrap(), |_| {}).unwrap()
}

fn header<'a>(request: &'a Received, name: &str) -> &'a str {
    let lines = request.0.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} in {}", request.0)).1
}

#[test]
fn a_message_is_repeated_until_the_web_server_has_taken_it() {
    let (port, received) = serve(&["HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", "", "HTTP/1.1 204 Taken\r\n\r\n"]);
    let publisher = publisher(port);
    publisher.push(&"alerts".into(), b"{\"a\":1}\n");
    assert!(publisher.drain(PATIENCE));
    let requests: Vec<Received> = (0..3).map(|_| received.recv_timeout(PATIENCE).unwrap()).collect();
    for request in &requests {
        assert!(request.0.starts_with("post /in http/1.1\r\n") && request.1 == requests[0].1, "{request:?}");
        assert!(request.1.contains(&format!("\"message_id\":\"{}\",\"a\":1", header(request, "webhook-id"))), "{request:?}");
        assert_eq!((header(request, "emotion-schema"), header(request, "content-type")), ("alerts", "application/json"));
        assert!(header(request, "webhook-signature").starts_with("v1,") && header(request, "webhook-timestamp").parse::<u64>().is_ok());
    }
    assert_eq!((publisher.counts().sent, publisher.counts().dropped), (1, 0));
}

#[test]
fn a_web_server_may_close_each_connection_and_refuse_a_message() {
    const CLOSING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (port, received) = serve(&[CLOSING, "HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n", CLOSING]);
    let publisher = publisher(port);
    publisher.push(&"events".into(), b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    assert!(publisher.drain(PATIENCE));
    let bodies: Vec<String> = (0..3).map(|_| received.recv_timeout(PATIENCE).unwrap().1).collect();
    assert!((1..=3).all(|number| bodies[number - 1].contains(&format!("\"a\":{number}"))), "{bodies:?}");
    assert_eq!((publisher.counts().sent, publisher.counts().dropped), (2, 1));
}
