// SPDX-License-Identifier: MIT OR Apache-2.0
//! Passwords, certificates, and that nobody can read a secret from the element.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use gst::prelude::*;

use super::{EVENTS, MOSQUITTO, Publisher, numbers};
use test_support::broker::{Folder, Mosquitto, Subscriber, installed, wait};
use test_support::gstreamer::init;

#[test]
fn a_password_in_the_location_is_refused_and_cannot_be_read() {
    init();
    for location in ["mqtt://camera:s3cret@h/t", "mqtt://camera:7/s3cret@h/t"] {
        assert_refused(location);
    }
}

fn assert_refused(location: &str) {
    let element = gst::ElementFactory::make("emotionpublish").property("location", location).build().unwrap();
    assert_eq!(element.property::<String>("location"), "mqtt://camera:***@h/t");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    assert!(!format!("{message:?}").contains("s3cret"), "{message:?}");
    let gst::MessageView::Error(error) = message.view() else { unreachable!("only errors are taken") };
    assert!(error.error().message().contains("password-file"), "{error:?}");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_broker_with_passwords_takes_the_right_one_and_the_element_names_a_wrong_one() {
    if !installed(&MOSQUITTO) || !installed(&["mosquitto_passwd"]) {
        return;
    }
    for version in ["5", "3.1.1"] {
        let mut broker = Mosquitto::stopped(&format!("password-{version}"), "allow_anonymous false\npassword_file FOLDER/passwords");
        let passwords = broker.folder.0.join("passwords");
        let made = Command::new("mosquitto_passwd").args(["-c", "-b"]).arg(passwords).args(["camera", "s3cret"]).status();
        assert!(made.unwrap().success());
        broker.start();
        let location = format!("mqtt://camera@127.0.0.1:{}/emotion/door", broker.port);
        let file = |name, text| broker.folder.write(name, text).to_str().unwrap().to_owned();

        let wrong = file("wrong", "guess\n");
        let mut publisher = Publisher::start(&[("location", &location), ("password-file", &wrong), ("mqtt-version", version)]);
        publisher.push(10);
        publisher.wait_for_warning("NotAuthorized");
        assert_eq!((publisher.stat("sent"), publisher.stat("queued")), (0, 10));
        drop(publisher);

        let right = file("right", "s3cret\n");
        let subscriber = Subscriber::new(broker.port, &["-u", "camera", "-P", "s3cret"]);
        let mut publisher = Publisher::start(&[("location", &location), ("password-file", &right), ("mqtt-version", version)]);
        publisher.push(10);
        publisher.end();
        wait("all messages", || subscriber.received.numbers(EVENTS) == numbers(10));
    }
}

/// Certificates that an authority of this test has signed.
struct Certificates(Folder);

impl Certificates {
    fn new(test: &str) -> Self {
        let certificates = Self(Folder::new(test));
        let options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        certificates.openssl(&[&options[..], &["-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"]].concat());
        certificates
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let status = command.args(arguments).current_dir(&self.0.0).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "openssl {arguments:?}");
    }

    /// A certificate for `name` as `name`.pem and its key as `name`.key.
    fn sign(&self, name: &str) {
        let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
        self.0.write("extensions", &format!("subjectAltName={kind}:{name}"));
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        let options = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        self.openssl(&[&options[..], &["-subj", &subject, "-keyout", &key, "-out", &request]].concat());
        let options = ["x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"];
        self.openssl(&[&options[..], &["-in", &request, "-out", &certificate]].concat());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A broker that shows the certificate of `name` and asks for one.
    fn broker(&self, test: &str, name: &str) -> Mosquitto {
        let file = |name: &str| self.path(name).display().to_string();
        let (authority, certificate, key) = (file("ca.pem"), file(&format!("{name}.pem")), file(&format!("{name}.key")));
        let options = format!("allow_anonymous true\ncafile {authority}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true");
        let mut broker = Mosquitto::stopped(test, &options);
        broker.start();
        broker
    }
}

#[test]
fn encryption_checks_the_certificates_of_both_sides() {
    if !installed(&MOSQUITTO) || !installed(&["openssl"]) {
        return;
    }
    let certificates = Certificates::new("certificates");
    ["localhost", "broker.example", "camera"].iter().for_each(|name| certificates.sign(name));
    let [authority, certificate, key] = ["ca.pem", "camera.pem", "camera.key"].map(|name| certificates.text(name));
    let broker = certificates.broker("tls", "localhost");
    let location = |broker: &Mosquitto| format!("mqtts://localhost:{}/emotion/door", broker.port);
    let own = [("certificate-file", certificate.as_str()), ("key-file", key.as_str())];
    let start = |broker: &Mosquitto, options: &[(&str, &str)]| {
        let location = location(broker);
        let mut publisher = Publisher::start(&[&[("location", location.as_str())], options].concat());
        publisher.push(10);
        publisher
    };
    let trusting = ("ca-file", authority.as_str());

    let options = ["-h", "localhost", "--cafile", &authority, "--cert", &certificate, "--key", &key];
    let subscriber = Subscriber::new(broker.port, &options);
    start(&broker, &[trusting, own[0], own[1]]).end();
    wait("all messages", || subscriber.received.numbers(EVENTS) == numbers(10));

    let publisher = start(&broker, &[trusting]);
    publisher.wait_for_warning("CertificateRequired");
    assert_eq!((publisher.stat("sent"), publisher.stat("queued")), (0, 10), "without a certificate of its own");

    let publisher = start(&broker, &own);
    publisher.wait_for_warning("UnknownIssuer");
    assert_eq!(publisher.stat("sent"), 0, "the system does not know the authority");

    let other = certificates.broker("tls-other", "broker.example");
    let publisher = start(&other, &[trusting, own[0], own[1]]);
    publisher.wait_for_warning("not valid for name");
    assert_eq!((publisher.stat("sent"), publisher.stat("queued")), (0, 10), "a certificate of another name");
}

#[test]
fn an_encrypted_connection_to_an_ipv6_address_works() {
    if !installed(&MOSQUITTO) || !installed(&["openssl"]) {
        return;
    }
    let certificates = Certificates::new("certificates-ipv6");
    certificates.sign("::1");
    let file = |name: &str| certificates.text(name);
    let port = test_support::broker::free_port();
    let listener = format!("allow_anonymous true\nlistener {port} ::1\ncertfile {}\nkeyfile {}", file("::1.pem"), file("::1.key"));
    let mut broker = Mosquitto::stopped("ipv6", &listener);
    broker.start();
    for version in ["5", "3.1.1"] {
        let location = format!("mqtts://[::1]:{port}/emotion/door");
        let mut publisher = Publisher::start(&[("location", &location), ("ca-file", &file("ca.pem")), ("mqtt-version", version)]);
        publisher.push(10);
        publisher.wait_until_sent(10);
    }
}
