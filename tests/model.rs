//! Every sub-resource, parameter and header of the newest service model of S3 is known here. The model is that of an
//! installed botocore; `conformance/run` unpacks it and names the file in `PRESIGNED_S3_MODEL`.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use presigned::s3::header::treatment;
use presigned::s3::operation::Operation;
use serde_json::Value;

fn model() -> Value {
    let path = std::env::var("PRESIGNED_S3_MODEL")
        .expect("PRESIGNED_S3_MODEL names the model, as conformance/run does");
    let text = std::fs::read_to_string(path).expect("a readable model");
    serde_json::from_str(&text).expect("JSON")
}

/// The operations of the model and their inputs.
fn operations(model: &Value) -> Vec<(&String, &Value)> {
    let operations: Vec<_> = model["operations"].as_object().expect("operations").iter().collect();
    assert!(operations.len() > 110, "the model has {} operations", operations.len());
    operations
}

/// The members of the inputs of all operations that travel at one of these places.
fn members(model: &Value, places: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, operation) in operations(model) {
        let Some(shape) = operation["input"]["shape"].as_str() else { continue };
        for member in
            model["shapes"][shape]["members"].as_object().into_iter().flat_map(|members| members.values())
        {
            if member["location"].as_str().is_some_and(|place| places.contains(&place)) {
                found.insert(member["locationName"].as_str().expect("a name").to_owned());
            }
        }
    }
    found
}

#[test]
fn every_sub_resource_is_in_the_table() {
    let model = model();
    let mut unknown = BTreeSet::new();
    for (name, operation) in operations(&model) {
        let uri = operation["http"]["requestUri"].as_str().expect("a target");
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (word, value) = piece.split_once('=').unwrap_or((piece, ""));
            // A word with a value chooses among what another word has selected, or repeats the operation's name.
            let known = if value.is_empty() {
                Operation::is_sub_resource(word)
            } else {
                Operation::knows_parameter(word)
            };
            if !known {
                unknown.insert(format!("{name}: {word}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_parameter_is_known() {
    let unknown: Vec<_> = members(&model(), &["querystring"])
        .into_iter()
        .filter(|name| !Operation::knows_parameter(name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_header_is_read_or_refused_or_harmless() {
    let unknown: Vec<_> = members(&model(), &["header", "headers"])
        .into_iter()
        .filter(|name| treatment(&name.to_ascii_lowercase()).is_none())
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
