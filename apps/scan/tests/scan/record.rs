// SPDX-License-Identifier: MIT OR Apache-2.0
//! What made the tables: `results.json`, the metadata of Parquet files, `--like`, and the dictionary of the columns.

use serde_json::Value;
use test_support::promises;

use crate::readers::{python, run};
use crate::support::{Folder, ended};

/// Validates packages, rows included, and prints what is wrong. Parquet files are compared with the schema alone.
const VALIDATE: &str = "\
import json, sys, frictionless, pyarrow.parquet
for path in sys.argv[1:]:
    package = frictionless.Package(path)
    package.to_descriptor(validate=True)
    if 'parquet' not in package.get_resource('faces').path:
        report = package.validate()
        assert report.valid, report.flatten(['taskNumber', 'rowNumber', 'fieldName', 'type', 'message'])
        print(path, sum(task.stats['rows'] for task in report.tasks))
        continue
    for resource in package.resources:
        columns = pyarrow.parquet.read_schema(resource.path).names
        assert columns == resource.schema.field_names, (resource.path, columns)
    print(path, len(package.resources))
";

/// Prints the record in the metadata of a Parquet file.
const METADATA: &str = "\
import sys, pyarrow.parquet
for path in sys.argv[1:]:
    print(pyarrow.parquet.read_metadata(path).metadata[b'emotion-scan'].decode().replace('\\n', ' '))
";

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&folder.read(name)).unwrap()
}

#[test]
fn the_record_says_what_a_methods_section_needs() {
    let Some(folder) = Folder::new("record") else { return };
    folder.photo("a.jpg");
    folder.video("b.mp4", 10, 10);
    folder.write("c.jpg", b"");
    folder.run("a.jpg b.mp4 c.jpg --output out.ndjson --every 0.5 --prior balanced --set facedetect.max-faces=1", 3);
    let record = json(&folder, "out.json");
    assert_eq!(record["program"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(record["program"]["commit"].as_str().is_some_and(|commit| commit.len() >= 7 || commit == "RELEASE"), "{record}");
    assert!(record["command"].as_array().unwrap().iter().any(|argument| argument == "--prior"), "{record}");
    assert_eq!(
        record["options"]["set"],
        serde_json::json!(["emotionclassify.prior=balanced", "facedetect.track-timeout=1250000000", "facedetect.max-faces=1"])
    );
    assert!(record["options"]["every_s"] == 0.5 && record["options"]["bins_s"].is_null(), "{record}");
    assert!(record["properties"]["facedetect"]["max-faces"] == "1", "{}", record["properties"]);
    assert!(record["properties"]["emotionclassify"]["prior"] == "balanced" && record["properties"]["facedetect"]["name"].is_null());
    let networks = record["networks"].as_array().unwrap();
    let roles: Vec<_> = networks.iter().map(|network| network["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["detector", "refiner", "expression"]);
    let row = &folder.rows("out.ndjson")[0];
    assert!(networks[2]["sha256"] == row["classifier_sha256"] && networks[2]["card"] == "models/expression/CARD.md", "{}", networks[2]);
    assert!(networks[2]["measured"]["scores_ferplus_accuracy"].as_f64() > Some(0.8), "{}", networks[2]);
    let software = &record["software"];
    assert!(software["gstreamer"].as_str().is_some_and(|version| version.starts_with("1.")), "{software}");
    assert!(software["onnxruntime"]["file"].as_str().is_some_and(|file| file.starts_with("libonnxruntime")), "{software}");
    assert!(record["processor"]["cores"].as_u64() > Some(0), "{record}");
    assert!(record["started"].as_str() < record["finished"].as_str(), "{record}");
    assert_eq!(record["tables"], serde_json::json!({"faces": "out.ndjson", "files": "out.files.ndjson", "tracks": "out.tracks.ndjson"}));
    assert_eq!(record["counts"], serde_json::json!({"files": 3, "frames": 3, "faces": 3, "unreadable_files": 1}));
}

#[test]
fn the_promised_fields_of_a_record_are_kept() {
    let Some(folder) = Folder::new("promised") else { return };
    folder.photo("a.jpg");
    folder.video("b.mp4", 10, 10);
    folder.run("a.jpg b.mp4 --output out.ndjson --where-faces=0.5 --turn auto --bins 1", 0);
    let mut record = json(&folder, "out.json");
    // Properties and figures of models have their own names.
    assert!(record["properties"].take().is_object());
    for network in record["networks"].as_array_mut().expect("networks") {
        network["measured"].take();
    }
    promises::assert_kept("record-of-a-scan", promises::fields("results", &record, &[]));
}

#[test]
fn a_scan_like_an_earlier_one_gives_the_same_tables() {
    let Some(folder) = Folder::new("like") else { return };
    folder.moving_video("in/a.mp4", 20, 10);
    folder.photo("in/b.jpg");
    std::fs::create_dir(folder.path("one")).unwrap();
    folder.run("in --output one/results.ndjson --every 0.3 --prior balanced --set facedetect.max-faces=1 --bins 0.5", 0);
    folder.run("in --output two.ndjson --like one/results.json", 0);
    for table in ["", ".files", ".tracks", ".bins"] {
        let (one, two) = (folder.read(&format!("one/results{table}.ndjson")), folder.read(&format!("two{table}.ndjson")));
        assert!(!one.is_empty() && one == two, "results{table}.ndjson");
    }
    let (one, two) = (json(&folder, "one/results.json"), json(&folder, "two.json"));
    for part in ["options", "properties", "networks"] {
        assert_eq!(one[part], two[part], "{part}");
    }
    folder.other_model();
    let mut others = folder.command("in --output three.ndjson --like one/results.json");
    let printed = ended(others.env("GST_EMOTION_MODEL_PATH", folder.path("models")).output().unwrap(), 2);
    assert!(printed.contains("--like: expected the networks of one/results.json, detector "), "{printed}");
    let printed = folder.run("in --output three.ndjson --like one/results.ndjson", 2);
    assert!(printed.contains("--like: one/results.ndjson: expected results.json of an earlier scan"), "{printed}");
    let printed = folder.run("in --output three.ndjson --like one/results.json --every 3", 2);
    assert!(printed.contains("cannot be used with"), "{printed}");
}

#[test]
fn a_baseline_grows_in_a_video_and_is_in_the_record() {
    let Some(folder) = Folder::new("baseline") else { return };
    folder.acting_video("in/a.mp4");
    folder.photo("in/b.jpg");
    folder.run("in --output one.ndjson --baseline track", 0);
    folder.run("in --output two.ndjson --like one.json", 0);
    assert_eq!(folder.read("one.ndjson"), folder.read("two.ndjson"));
    assert_eq!(json(&folder, "one.json")["options"]["set"], serde_json::json!(["*.baseline=track"]));
    let of = |file: &str| folder.rows("one.ndjson").into_iter().filter(|row| row["file"] == file).collect::<Vec<_>>();
    let seconds: Vec<_> = of("in/a.mp4").iter().map(|row| row["baseline"].as_f64().expect("a number")).collect();
    assert!(seconds[0] == 0.0 && seconds.last() > Some(&0.5), "{seconds:?}");
    assert!(of("in/b.jpg").iter().all(|row| row["baseline"] == 0.0), "a photo teaches nothing");
}

#[test]
fn frictionless_validates_the_tables_by_their_dictionary() {
    let (Some(folder), Some(python)) = (Folder::new("dictionary"), python()) else { return };
    folder.photo("in/=a.jpg");
    folder.video("in/b.mp4", 20, 10);
    folder.write("in/c.jpg", b"");
    let formats = ["csv", "ndjson", "parquet"];
    for format in formats {
        folder.run(&format!("in --output {format}.{format} --bins 1"), 3);
    }
    folder.run("in --output parts.csv --bins 1 --partition 2 --geometry", 3);
    let packages = ["csv", "parquet", "parts"].map(|name| format!("{name}.datapackage.json"));
    let printed = run(&python, &folder, VALIDATE, &packages);
    // 42 faces, 3 files, 4 tracks, 3 bins; in Parquet four tables.
    assert_eq!(printed, "csv.datapackage.json 52\nparquet.datapackage.json 4\nparts.datapackage.json 52\n");
    let ndjson = json(&folder, "ndjson.datapackage.json");
    assert!(ndjson["resources"][0]["path"] == "ndjson.ndjson" && ndjson["resources"][0]["format"] == "ndjson", "{ndjson}");

    // The same record is in the metadata of each Parquet file.
    let tables = ["", ".files", ".tracks", ".bins"].map(|table| format!("parquet{table}.parquet"));
    let record = json(&folder, "parquet.json");
    for line in run(&python, &folder, METADATA, &tables).lines() {
        let inside: Value = serde_json::from_str(line).unwrap();
        for part in ["program", "options", "properties", "networks", "software", "processor", "started", "counts", "tables"] {
            assert_eq!(inside[part], record[part], "{part}");
        }
    }
}
