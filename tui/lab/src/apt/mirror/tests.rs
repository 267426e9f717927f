use super::*;

/// What apt prints on a machine with Debian's archives and another's.
const TARGETS: &str = "\
MetaKey: stable/binary-amd64/Packages
Base-URI: https://packages.example.org/debian/dists/bookworm/
Label: Example
Origin: Example

MetaKey: main/binary-amd64/Packages
Codename: bookworm-security
Label: Debian-Security
Origin: Debian
Base-URI: http://mirror.example.net/debian-security/dists/bookworm-security/

MetaKey: main/binary-amd64/Packages
Label: Debian
Origin: Debian
Base-URI: http://mirror.example.net/debian/dists/bookworm/
";

#[test]
fn apt_tells_the_main_archive_from_the_others() {
    let archives = from_index_targets(TARGETS);
    assert_eq!(archives.len(), 3);
    assert_eq!(pick(&archives).expect("it has one"), "http://mirror.example.net/debian");
}

#[test]
fn lists_of_one_line_each() {
    let text = "\
# deb http://commented.example.org/debian bookworm main
deb-src http://source.example.org/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://other.example.org/linux/debian bookworm stable
deb http://security.example.org/debian-security bookworm-security main
deb cdrom:[Debian GNU/Linux 12]/debian bookworm main
deb\t[ arch=amd64 ]\thttp://mirror.example.net/debian/ bookworm-updates main contrib # mine
";
    let archives = from_list(text);
    assert_eq!(pick(&archives).expect("it has one"), "http://mirror.example.net/debian");
    assert!(archives.iter().all(|archive| !archive.address.contains("commented")));
    assert!(archives.iter().all(|archive| !archive.address.contains("source")));
}

#[test]
fn lists_of_paragraphs() {
    let text = "\
Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main
Enabled: no

# The next one is on.
Types: deb-src deb
uris:
 mirror+file:/etc/apt/mirrors/debian
 http://second.example.net/debian
Suites: trixie trixie-updates
Components: contrib
 main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";
    let archives = from_deb822(text);
    assert_eq!(archives.len(), 4);
    assert!(archives.iter().all(|archive| !archive.address.contains("off.")));
    let none = archives.iter().find(|archive| archive.address.starts_with("mirror+file"));
    assert!(none.is_some_and(|archive| archive.is_debian));
    assert_eq!(pick(&archives).expect("it has one"), "mirror+file:/etc/apt/mirrors/debian");
}

#[test]
fn ubuntu_is_told_what_to_give() {
    let text = "deb http://archive.example.org/ubuntu noble main universe\n";
    let error = pick(&from_list(text)).expect_err("no Debian here").to_string();
    assert!(error.contains("it has Ubuntu") && error.contains("--mirror URL"), "{error}");
    let error = pick(&[]).expect_err("nothing here").to_string();
    assert!(error.contains("names no Debian mirror; give one"), "{error}");
}

#[test]
fn a_mirror_is_an_address_and_nothing_more() {
    for good in ["http://host/debian", "https://h:8/x/", "file:///srv/debian", "mirror+file:/a/b"] {
        assert_eq!(check(good).expect("an address"), good.trim_end_matches('/'));
    }
    for bad in [
        "",
        "host/debian",
        "http://",
        "http://h/ x",
        "http://h/d\n[trusted=yes]",
        "[trusted=yes] http://h",
    ] {
        assert!(matches!(check(bad), Err(LabError::BadMirror(_))), "{bad:?}");
    }
}
