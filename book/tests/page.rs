//! The page in a real browser: narrow, dark, on paper, and without JavaScript.

mod common;

use common::browser::Browser;
use common::{Fixture, book, with_server};
use doorbell_book::build_from;
use serde_json::json;

#[test]
fn the_page_fits_narrow_windows_dark_rooms_and_paper() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("book");
    let chapters = book("# Page\n\n{{#trace fixture}}\n");
    build_from(&chapters, &Fixture, &out, &mut |_| {}).expect("a book");
    let media = |name: &str, value: &str, media: &str| {
        let features = json!([{"name": name, "value": value}]);
        let wanted = json!({"media": media, "features": features});
        browser.chromium("Emulation.setEmulatedMedia", &wanted);
    };
    let color = "return getComputedStyle(document.querySelector('.db-source')).backgroundColor;";
    let shown = "return ['.db-live', '.doorbell-steps'].map((selector) => getComputedStyle(document.querySelector(selector)).display !== 'none');";
    with_server(&out, |server| {
        let page = format!("http://{}/page.html", server.address());
        let size = json!({"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        browser.chromium("Emulation.setDeviceMetricsOverride", &size);
        media("prefers-color-scheme", "light", "");
        browser.open(&page);
        for _ in 0..24 {
            let width = browser.run("return document.documentElement.scrollWidth;", &[]);
            assert!(width.as_u64().is_some_and(|width| width <= 360), "{width} wide");
            browser.click(".db-forward");
        }
        let light = browser.run(color, &[]);
        assert_eq!(browser.run(shown, &[]), json!([true, false]));
        browser.click(".db-printed");
        assert_eq!(browser.run(shown, &[]), json!([true, true]));
        browser.click(".db-printed");
        media("prefers-color-scheme", "light", "print");
        assert_eq!(browser.run(shown, &[]), json!([false, true]));
        media("prefers-color-scheme", "dark", "");
        browser.open(&page);
        assert_ne!(browser.run(color, &[]), light);
        let silent = json!({"value": true});
        browser.chromium("Emulation.setScriptExecutionDisabled", &silent);
        browser.open(&page);
        browser.chromium("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
        let without = "return [document.querySelectorAll('.db-live').length, getComputedStyle(document.querySelector('.doorbell-steps')).display];";
        assert_eq!(browser.run(without, &[]), json!([0, "block"]));
    });
}

#[test]
fn a_wqe_that_was_stored_before_has_all_of_its_fields_in_sight() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("book");
    let chapters = book("# Page\n\n{{#trace fixture from=\"index\"}}\n");
    build_from(&chapters, &Fixture, &out, &mut |_| {}).expect("a book");
    let places = "return [...document.querySelectorAll('.db-wqe .db-where')].map((cell) => cell.textContent);";
    let hidden = "const panel = document.querySelector('.db-wqe'); return panel.scrollWidth - panel.clientWidth;";
    let origins = "return [...document.querySelectorAll('.db-wqe .db-origin')].filter((cell) => cell.offsetWidth > 0).length;";
    with_server(&out, |server| {
        for (width, with_origins) in [(1600, true), (1280, true), (400, false)] {
            let size =
                json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            browser.chromium("Emulation.setDeviceMetricsOverride", &size);
            browser.open(&format!("http://{}/page.html", server.address()));
            let places = browser.run(places, &[]);
            let places = places.as_array().expect("a list");
            assert!(places.len() > 10 && places.iter().all(|place| place != ""), "{places:?}");
            assert_eq!(browser.run(hidden, &[]), 0, "{width} wide");
            let count = if with_origins { places.len() } else { 0 };
            assert_eq!(browser.run(origins, &[]), count, "{width} wide");
        }
    });
}
