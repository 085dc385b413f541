// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page in headless Chromium, controlled over the DevTools protocol. The browser's fake camera shows average faces.
//! Without Chromium (Debian: chromium; `CHROMIUM` names another program) the test is skipped, except in `make test`.
//!
//! Screenshots are saved in `target/tmp/`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::browser::{Browser, chromium};
use test_support::fetched;

use crate::support::{self, Dashboard, Folder, take, until};

#[test]
fn the_page_in_chromium() {
    let Some(program) = chromium().filter(|_| fetched("centerface")) else { return };
    let dashboard = Dashboard::start("chromium", &[]);
    let clip = dashboard.folder.0.join("camera.mjpeg");
    support::write_mjpeg(&clip);
    let profile = Folder::new("chromium-profile");
    let camera = format!("--use-file-for-fake-video-capture={}", clip.display());
    let camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", &camera];
    let mut page = Browser::start(&program, &profile.0, &camera, "dashboard");
    page.resize(1366, 900, 1.0);
    page.command("Page.navigate", json!({"url": format!("http://{}/", dashboard.address)}));
    page.wait("the page", "document.querySelector('#empty')?.hidden === false");
    page.take("empty");

    // Share the camera.
    page.run("document.querySelector('#add').click()");
    page.wait("the dialog", "document.querySelector('#adding').open");
    page.take("dialog");
    page.run("document.querySelector('#adding [name=name]').value = 'Kitchen <i>table</i>'");
    page.run("document.querySelector('#adding [type=submit]').click()");
    page.wait("a tile that is live", "document.querySelector('.tile')?.dataset.state === 'playing'");
    let names = "[...document.querySelectorAll('.person .label b')].map((b) => b.textContent).sort().join()";
    page.wait("the right labels", &format!("{names} === 'happiness,neutral'"));
    assert_eq!(page.run("document.querySelector('.tile h2').textContent"), "Kitchen <i>table</i>", "names are not HTML");
    assert_eq!(page.run("document.querySelector('#sharing').hidden"), false);
    page.wait("the picture", "document.querySelector('.picture').width === 640");

    // Another tab does not slow the camera down: timers of a page in the background run once a second.
    page.run("window.other = open('about:blank'); null");
    page.wait("a page in the background", "document.visibilityState === 'hidden'");
    let frames = || dashboard.metric("emotion_frames_analysed_total", 1).unwrap_or_default();
    until("eight frames within five seconds", || {
        let (before, began) = (frames(), Instant::now());
        until("eight frames", || (frames() >= before + 8.0).then_some(()));
        (began.elapsed() < Duration::from_secs(5)).then_some(())
    });
    page.run("other.close()");

    // After a reload the tab continues with its camera.
    page.command("Page.reload", json!({}));
    page.wait("the camera after a reload", "document.querySelector('#sharing')?.hidden === false");
    page.wait("the right labels after a reload", &format!("{names} === 'happiness,neutral'"));
    assert_eq!(page.run("document.querySelectorAll('.tile').length"), 1);

    // The timeline gets new points.
    let points = "import('./sources.js').then(({tiles}) => tiles.get(1).timeline.data.points.length)";
    let more_points_than = |count: u64| format!("{points}.then((count) => count > {count})");
    page.wait("a timeline", &more_points_than(1));
    let before = page.run(points).as_u64().unwrap();
    page.wait("a longer timeline", &more_points_than(before + 1));
    page.wait("a timeline in words", "document.querySelector('.timeline').getAttribute('aria-label').includes('mostly')");
    page.wait("points to scroll back to", &more_points_than(8));
    page.run("document.querySelector('.timeline').dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp'}))");
    page.wait("the button back to the present", "document.querySelector('.now').hidden === false");
    page.run("document.querySelector('.now').click()");

    // Every download parses.
    let links = page.run("[...document.querySelectorAll('.tile a')].filter((a) => !a.parentElement.hidden).map((a) => a.href)");
    let links: Vec<_> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect();
    assert!(links.len() >= 5, "{links:?}");
    for link in &links {
        let text = page.run(&format!("fetch('{link}').then((answer) => answer.ok ? answer.text() : answer.status)"));
        parses(link, text.as_str().unwrap_or_else(|| panic!("{link}: {text}")));
    }

    // Another language.
    page.run("{ const choice = document.querySelector('#language'); choice.value = 'de'; choice.onchange() }");
    page.wait("German labels", &format!("{names} === 'Freude,neutral'"));
    page.run("{ const choice = document.querySelector('#language'); choice.value = 'en'; choice.onchange() }");

    assert_eq!(page.unnamed_controls(), Vec::<String>::new(), "every control has an accessible name");
    take_all(&mut page, "one");

    // Totals only.
    page.run("document.querySelector('[data-switch=aggregate_only]').click()");
    page.wait("totals only", "document.querySelector('.no-faces').textContent === 'Individual faces are hidden'");
    assert_eq!(page.run("document.querySelectorAll('.person').length"), 0);
    page.wait("the switch", "document.querySelector('[data-switch=aggregate_only]').getAttribute('aria-checked') === 'true'");
    page.run("document.querySelector('[data-switch=aggregate_only]').click()");
    page.wait("individual faces again", &format!("{names} === 'happiness,neutral'"));

    // Faces that have left are behind those that are present.
    let order = "import('./people.js').then(({People}) => {
        const section = document.createElement('section');
        section.innerHTML = '<ul></ul><p class=no-faces></p>';
        const people = new People(section);
        const show = (at, ids) => {
          people.show({at, labels: [], faces: ids.map((id) => ({id, label: null, confidence: 0, scores: [], since: at}))});
          return [...section.querySelectorAll('.person')].map((card) => (card.dataset.gone ? '-' : '') + card.dataset.id).join();
        };
        return [show(0, [1, 2, 3]), show(100, [2, 3]), show(200, [2, 4]), show(300, [1, 2, 4]), show(2000, [4])].join(' ');
    })";
    assert_eq!(page.run(order), "1,2,3 2,3,-1 2,4,-1,-3 1,2,4,-3 4");

    // A photo is dropped onto the page, and one source is maximised.
    let photo = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, support::jpeg());
    page.run(&format!(
        "{{ const bytes = Uint8Array.from(atob('{photo}'), (c) => c.charCodeAt(0));
        window.dropped = new DataTransfer(); dropped.items.add(new File([bytes], 'photo.jpg'));
        dispatchEvent(new DragEvent('dragenter', {{dataTransfer: dropped, cancelable: true}})); null }}"
    ));
    assert_eq!(page.run("document.querySelector('#drop').hidden"), false);
    page.run("dispatchEvent(new DragEvent('drop', {dataTransfer: dropped, cancelable: true})); null");
    page.wait("the photo", "document.querySelectorAll('.tile')[1]?.querySelectorAll('.person').length === 2");
    page.run("document.querySelectorAll('.maximise')[1].click()");
    page.wait("one tile", "document.querySelectorAll('.tile:not([hidden])').length === 1");
    assert_eq!(page.run("document.activeElement.textContent"), "Restore");
    take_all(&mut page, "maximised");
    page.run("document.activeElement.click()");
    page.wait("both tiles", "document.querySelectorAll('.tile:not([hidden])').length === 2");
    assert_eq!(dashboard.ask("DELETE", "/api/sources/2", &[], b"").status, 204);

    // The heads of the faces.
    let heads = "[...document.querySelectorAll('.tile:not([hidden]) .person[data-pose] .head')]";
    page.run("document.querySelector('[data-switch=geometry]').click()");
    page.wait("two heads", &format!("{heads}.length === 2 && {heads}.every((head) => head.childElementCount > 6)"));
    page.wait("their shares", "document.querySelector('.facing').textContent === 'facing 100 %'");
    page.wait("the count of those that face the camera", "document.querySelector('.count').textContent === '2 faces, 2 facing'");
    take_all(&mut page, "heads");
    // A face is said to be at rest.
    page.run("{ const choice = document.querySelector('[data-setting=baseline]'); choice.value = 'track'; choice.onchange() }");
    page.wait("two baselines", "document.querySelectorAll('.person[data-baseline]').length === 2");
    page.run("document.querySelectorAll('.person .calibrate')[1].click()");
    page.wait("a sure baseline", "parseInt(document.querySelectorAll('.person .sure')[1].textContent.slice(9)) > 75");
    take_all(&mut page, "rest");
    page.run("document.querySelectorAll('.person .reset')[1].click()");
    page.wait("no baseline", "parseInt(document.querySelectorAll('.person .sure')[1].textContent.slice(9)) < 50");
    // A head that turns to the person's left has its nose on the right of the picture, and closed eyes are lines.
    let drawn = "import('./head.js').then(({drawHead}) => {
        const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        const tip = (yaw) => { drawHead(svg, [yaw, 0, 0], 0); return Number(svg.lastChild.getAttribute('d').match(/L(-?[\\d.]+)/)[1]); };
        const tips = [0, 30, -30].map(tip);
        drawHead(svg, [0, 0, 0], .9);
        return [tips[0] === 0, tips[1] > .4, tips[2] < -.4, svg.querySelectorAll('.eye').length];
    })";
    assert_eq!(page.run(drawn), json!([true, true, true, 0]));
    page.run("document.querySelector('[data-switch=geometry]').click()");
    page.wait("no heads", &format!("{heads}.length === 0 && document.querySelectorAll('.person').length === 2"));

    // Settings of a source.
    let threshold = "document.querySelector('[data-setting=threshold]')";
    // The page knows nothing yet of what another viewer switches.
    page.run(
        "import('./sources.js').then(({tiles}) => { const tile = tiles.get(1); const old = structuredClone(tile.source); \
              tile.update = () => { tile.source = old; }; return true })",
    );
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": true})).status, 204);
    page.run(&format!("{{ const choice = {threshold}; choice.value = '0.9'; choice.onchange() }}"));
    let switches = dashboard.wait_for(1, "the setting", |source| source["switches"]["threshold"] == 0.9)["switches"].clone();
    assert_eq!(switches["blur"], true, "a page that is behind turns nobody's blur off");
    page.run("import('./sources.js').then(({tiles}) => delete tiles.get(1).update)");
    assert_eq!(dashboard.post("/api/sources/1/switches", &json!({"blur": false})).status, 204);
    page.wait("the setting", "import('./sources.js').then(({tiles}) => tiles.get(1).source.switches.threshold === .9)");
    page.run(&format!("{{ const choice = {threshold}; choice.value = ''; choice.onchange() }}"));
    page.wait("both faces again", &format!("{names} === 'happiness,neutral'"));

    // Several sources, one of which fails.
    for body in [
        json!({"kind": "file", "address": "clip.avi", "name": "Hall"}),
        json!({"kind": "rtsp", "address": "rtsp://127.0.0.1:1/", "name": "Door"}),
    ] {
        assert_eq!(dashboard.post("/api/sources", &body).status, 201);
    }
    page.wait("a tile that failed", "document.querySelector('.tile[data-state=failed] .notice p')?.textContent.length > 5");
    page.wait("two tiles that are live", "document.querySelectorAll('.tile[data-state=playing]').length === 2");
    page.wait("faces in both", "document.querySelectorAll('.person').length === 4");
    take_all(&mut page, "several");
    page.resize(1920, 1080, 1.0);
    page.run("document.querySelector('#wall').click()");
    page.wait("a screen without controls", "getComputedStyle(document.querySelector('.controls')).display === 'none'");
    page.take("hung-on-a-wall");
    page.run("document.querySelector('#wall').click()");
    page.wait("the controls again", "getComputedStyle(document.querySelector('.controls')).display !== 'none'");

    // Stop sharing, then remove the source.
    page.run("document.querySelector('#sharing button').click()");
    page.wait("a source that waits", "document.querySelector('.tile').dataset.state === 'waiting'");
    page.run("document.querySelector('.tile .remove').click()");
    assert_eq!(page.run("document.querySelector('.tile .remove').textContent"), "Really remove?");
    page.run("document.querySelector('.tile .remove').click()");
    page.wait("one tile less", "document.querySelectorAll('.tile').length === 2");
    // Requests for a source may fail while it is being removed.
    let is_removed = |complaint: &String| ["1", "2"].iter().any(|id| complaint.contains(&format!("/api/sources/{id}/")));
    page.complaints.retain(|complaint| !(complaint.contains("404") && is_removed(complaint)));
    assert_eq!(page.complaints, Vec::<String>::new());
}

fn parses(link: &str, text: &str) {
    match link.rsplit('.').next() {
        Some("ndjson") => {
            assert!(text.lines().count() > 0, "{link} is empty");
            text.lines().for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{link}: {line}"));
        }
        Some("csv") => assert!(csv::Reader::from_reader(text.as_bytes()).records().all(|row| row.is_ok()), "{link}"),
        Some("html") => assert!(text.contains("happiness") && text.trim_end().ends_with("</html>"), "{link}"),
        Some("jpg") => assert!(!text.is_empty(), "{link}"),
        _ => panic!("{link} has an unknown type"),
    }
}

/// Screenshots for a phone, a laptop and a wall display, light and dark. The page must not be wider than the screen.
fn take_all(page: &mut Browser, name: &str) {
    for (screen, width, height, scale) in [("phone", 390, 844, 2.0), ("laptop", 1366, 900, 1.0), ("wall", 2560, 1440, 1.0)] {
        page.resize(width, height, scale);
        for scheme in ["light", "dark"] {
            take(page, &format!("{name}-{screen}-{scheme}"), width, scheme);
        }
        assert_eq!(page.run("document.documentElement.scrollWidth <= innerWidth"), true, "{name} on a {screen} is too wide");
    }
    page.resize(1366, 900, 1.0);
}
