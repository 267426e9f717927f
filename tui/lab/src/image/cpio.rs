//! The archive that the kernel unpacks as its first file system: cpio in the `newc` form
//! (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Each member is a header of 110 ASCII characters, its name with a NUL, and its bytes; names and
//! bytes are padded to four. A member named `TRAILER!!!` ends the archive.

/// An archive under way.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    members: u32,
}

/// What a member is, as the upper bits of its mode.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Folder = 0o040_000,
    File = 0o100_000,
    Link = 0o120_000,
}

impl Archive {
    /// Adds a folder; its parents must have been added.
    pub fn folder(&mut self, name: &str) {
        self.member(name, Kind::Folder, 0o755, &[]);
    }

    /// Adds a file that may be run.
    pub fn program(&mut self, name: &str, bytes: &[u8]) {
        self.member(name, Kind::File, 0o755, bytes);
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        self.member(name, Kind::File, 0o644, bytes);
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, name: &str, target: &str) {
        self.member(name, Kind::Link, 0o777, target.as_bytes());
    }

    /// The whole archive, as a file of the image: padded to 512 bytes as `cpio` does.
    pub fn finish(mut self) -> Vec<u8> {
        self.header("TRAILER!!!", 0, 0);
        let rest = self.bytes.len().next_multiple_of(512);
        self.bytes.resize(rest, 0);
        self.bytes
    }

    fn member(&mut self, name: &str, kind: Kind, rights: u32, bytes: &[u8]) {
        self.members += 1;
        self.header(name, kind as u32 | rights, bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Inode, mode, owner, group, links, time, size, device (2), special device (2), length of
    /// the name, checksum: eight hex digits each.
    fn header(&mut self, name: &str, mode: u32, size: usize) {
        // The initramfs of a lab is a few MB; the field is as wide as the format has it.
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let fields = [self.members, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        let whole = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(whole, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an archive: name, mode and bytes of each member.
    fn read(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let whole = bytes.len();
        let mut members = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |index: usize| {
                let digits = &bytes[6 + 8 * index..14 + 8 * index];
                u32::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("hex")
            };
            let (mode, size, length) = (field(1), field(6) as usize, field(11) as usize);
            let name = String::from_utf8(bytes[110..110 + length - 1].to_vec()).expect("text");
            assert_eq!(bytes[110 + length - 1], 0);
            let start = (110 + length).next_multiple_of(4);
            if name == "TRAILER!!!" {
                assert_eq!(whole % 512, 0);
                return members;
            }
            members.push((name, mode, bytes[start..start + size].to_vec()));
            bytes = &bytes[(start + size).next_multiple_of(4)..];
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut archive = Archive::default();
        archive.folder("bin");
        archive.program("bin/busybox", b"\x7fELF!");
        archive.link("bin/sh", "busybox");
        archive.file("empty", b"");
        let expected = vec![
            ("bin".to_string(), 0o040_755, vec![]),
            ("bin/busybox".to_string(), 0o100_755, b"\x7fELF!".to_vec()),
            ("bin/sh".to_string(), 0o120_777, b"busybox".to_vec()),
            ("empty".to_string(), 0o100_644, vec![]),
        ];
        assert_eq!(read(&archive.finish()), expected);
    }

    #[test]
    fn the_first_bytes_are_those_of_the_format() {
        let mut archive = Archive::default();
        archive.file("a", b"xyz");
        let bytes = archive.finish();
        let header = concat!(
            "070701", "00000001", "000081a4", "00000000", "00000000", "00000001", "00000000",
            "00000003", "00000000", "00000000", "00000000", "00000000", "00000002", "00000000",
        );
        assert_eq!(&bytes[..110], header.as_bytes());
        assert_eq!(&bytes[110..116], b"a\0xyz\0");
    }
}
