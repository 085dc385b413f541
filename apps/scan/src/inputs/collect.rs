// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files, folders, lists and URLs, as one list of files in a fixed order.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::Address;
use super::input::Input;
use super::numbers::Numbers;
use super::remote::Client;
use super::unavailable::Unavailable;
use crate::command_line::CommandLine;
use crate::error::Error;
use crate::platform;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Lists the files of a command: first those of its arguments, then those of the lists. The files of a folder are sorted
/// by name, without hidden files and folders, and so are remote folders. A file that is named twice is examined once.
///
/// # Errors
/// If a list cannot be read, there is nothing to examine, or a URL is given to a program without remote inputs.
pub fn collect(command: &CommandLine) -> Result<Vec<Input>, Error> {
    let mut inputs =
        Inputs { own: command.written(), files: Vec::new(), remote: Vec::new(), numbers: Numbers::default(), folders: HashSet::new() };
    command.inputs.iter().for_each(|path| inputs.add(path, false));
    for list in &command.list {
        for path in read_list(list)? {
            inputs.add(&path, false);
        }
    }
    if command.inputs.is_empty() && command.list.is_empty() {
        return Err(Error::NoInputs);
    }
    inputs.finish(command.timeout)
}

/// The paths of a list, one on each line. Empty lines are skipped, and the mark that programs of Windows write before UTF-8.
fn read_list(list: &Path) -> Result<Vec<PathBuf>, Error> {
    let reader: Box<dyn BufRead> = match list.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(BufReader::new(fs::File::open(list).map_err(Error::at(list))?)),
    };
    let lines = reader.split(b'\n').map(|line| line.map(|line| line.strip_suffix(b"\r").map_or(line.clone(), <[u8]>::to_vec)));
    let mut lines: Vec<Vec<u8>> = lines.collect::<Result<_, _>>().map_err(Error::at(list))?;
    lines.iter_mut().take(1).filter(|line| line.starts_with(BYTE_ORDER_MARK)).for_each(|line| _ = line.drain(..BYTE_ORDER_MARK.len()));
    let paths = lines.into_iter().filter(|line| !line.is_empty()).map(platform::path_of_line);
    paths.collect::<Result<_, _>>().map_err(Error::at(list))
}

struct Inputs {
    /// What the scan itself writes.
    own: Vec<PathBuf>,
    files: Vec<Input>,
    /// URLs, each with the number of local files before it.
    remote: Vec<(usize, Address)>,
    numbers: Numbers,
    /// The folders above and before, without links, so that a link cannot make a loop.
    folders: HashSet<PathBuf>,
}

impl Inputs {
    /// Adds a file, or the files of a folder. Other kinds of files, such as sockets, are skipped in folders.
    fn add(&mut self, path: &Path, is_in_folder: bool) {
        if self.own.iter().any(|own| is_same(own, path)) {
            return;
        }
        if let Some(address) = Address::parse(path).filter(|_| !is_in_folder) {
            self.remote.push((self.files.len(), address));
            return;
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let folder = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                if self.folders.insert(folder) {
                    self.walk(path);
                }
            }
            Ok(found) if found.is_file() => self.push(Input::local(path, &found)),
            Ok(_) if is_in_folder => {}
            Ok(found) => self.push(Input::unavailable(path, Unavailable::Kind(found.file_type()))),
            Err(error) => self.push(Input::unavailable(path, error.into())),
        }
    }

    fn push(&mut self, file: Input) {
        self.numbers.push(&mut self.files, file);
    }

    fn walk(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, _>>());
        match entries {
            Ok(mut names) => {
                names.retain(|name: &OsString| !name.as_encoded_bytes().starts_with(b"."));
                names.sort_unstable();
                names.into_iter().for_each(|name| self.add(&folder.join(name), true));
            }
            Err(error) => self.push(Input::unavailable(folder, error.into())),
        }
    }

    /// Looks up the URLs and inserts their files.
    fn finish(self, limit: Duration) -> Result<Vec<Input>, Error> {
        if self.remote.is_empty() {
            return Ok(self.files);
        }
        drop(self.numbers);
        let (positions, addresses): (Vec<usize>, Vec<Address>) = self.remote.into_iter().unzip();
        let listed = Client::new(limit)?.list(&addresses);
        let mut local = self.files.into_iter().enumerate().peekable();
        let mut files = Vec::new();
        for (position, remote) in positions.into_iter().zip(listed) {
            files.extend(std::iter::from_fn(|| local.next_if(|(index, _)| *index < position)).map(|(_, file)| file));
            // The files of a single folder, which may be millions, are not copied.
            if files.is_empty() { files = remote } else { files.extend(remote) }
        }
        files.extend(local.map(|(_, file)| file));
        Ok(distinct(files))
    }
}

/// Removes files that are found twice, and numbers those whose URLs differ only in their secrets.
fn distinct(mut files: Vec<Input>) -> Vec<Input> {
    let mut known = HashSet::new();
    let is_first: Vec<bool> = files.iter().map(|file| known.insert((&file.key.name, &file.key.bytes, &file.url))).collect();
    let mut is_first = is_first.into_iter();
    files.retain(|_| is_first.next().unwrap_or(true));
    // Names are the same only where one of the URLs has a secret.
    let mut names: HashMap<String, usize> = files.iter().filter(|file| file.url.is_some()).map(|file| (file.key.name.clone(), 0)).collect();
    for file in files.iter_mut().filter(|file| file.is_remote()) {
        let Some(count) = names.get_mut(&file.key.name) else { continue };
        *count += 1;
        if *count > 1 {
            // The name is no longer the URL.
            file.url.get_or_insert_with(|| file.key.name.as_str().into());
            file.key.name = format!("{}#{count}", file.key.name);
        }
    }
    files
}

/// True if both paths name the same existing file, or are equal.
fn is_same(a: &Path, b: &Path) -> bool {
    // Only for equal names: canonical paths of a million files would take long.
    a.file_name() == b.file_name() && (a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder that is removed at the end.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn folder(test: &str, files: &[&str]) -> Folder {
        let folder = std::env::temp_dir().join(format!("emotion-scan-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        Folder(folder)
    }

    fn names(command: &CommandLine, folder: &Folder) -> Vec<String> {
        let relative = |input: &Input| input.path().strip_prefix(&folder.0).unwrap().to_string_lossy().replace('\\', "/");
        collect(command).unwrap().iter().map(relative).collect()
    }

    #[test]
    fn folders_are_walked_in_the_order_of_names_without_hidden_files_and_own_output() {
        let at =
            folder("walk", &["b/2.jpg", "b/10.jpg", "a.mp4", ".hidden/x.jpg", ".DS_Store", "out.csv", "out.files.csv", "out.csv.parts/0"]);
        #[cfg(unix)] // links need a privilege on Windows
        std::os::unix::fs::symlink(&at.0, at.0.join("b/loop")).unwrap();
        let command = CommandLine::new(vec![at.0.clone(), at.0.join("a.mp4")], at.0.join("out.csv"));
        assert_eq!(names(&command, &at), ["a.mp4", "b/10.jpg", "b/2.jpg"]);
    }

    #[test]
    fn lists_keep_their_order_and_missing_files_have_an_error() {
        let at = folder("list", &["1.jpg", "2.jpg"]);
        let lines = format!("\u{feff}{0}/2.jpg\r\n\n{0}/none.jpg\n{0}/1.jpg\n{0}/./2.jpg\n{0}//1.jpg", at.0.display());
        fs::write(at.0.join("list.txt"), lines).unwrap();
        let command = CommandLine { list: vec![at.0.join("list.txt")], ..CommandLine::new(Vec::new(), "out.csv".into()) };
        assert_eq!(names(&command, &at), ["2.jpg", "none.jpg", "1.jpg"]);
        let errors: Vec<bool> = collect(&command).unwrap().iter().map(|input| input.error.is_some()).collect();
        assert_eq!(errors, [false, true, false]);
    }
}
