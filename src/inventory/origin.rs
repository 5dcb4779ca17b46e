//! Which image a container runs: repository, tag and digests, from what its maker wrote and what
//! the image itself is known by.

use super::inspect::{Container, Image};
use super::reference::{HUB, Reference, is_digest, is_hex};

/// Characters of an id that people tell images apart by.
const SHORT_ID_CHARS: usize = 12;
/// What a name without a tag means.
const DEFAULT_TAG: &str = "latest";

/// Where an image comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) registry: String,
    pub(super) name: String,
    /// `None` where the image is known by its digest or its id only.
    pub(super) tag: Option<String>,
    /// The digests its repository knows it by; the one the container was made with comes first.
    pub(super) digests: Vec<String>,
}

impl Origin {
    pub(super) fn of(container: &Container, image: Option<&Image>) -> Self {
        let written = Reference::parse(&container.image).ok().filter(|_| !is_id(container, image));
        match written {
            Some(reference) => Self::of_reference(&reference, image),
            None => Self::of_image(container, image),
        }
    }

    /// A name: its own tag counts, or what a name without one means. One that was pinned to a digest
    /// has the tag under which the same repository has the image here, if it has one.
    fn of_reference(reference: &Reference, image: Option<&Image>) -> Self {
        let tag = match (reference.tag(), reference.digest()) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (None, Some(_)) => {
                let known = image.into_iter().flat_map(|image| references(&image.tags));
                let mut same = known.filter(|known| known.is_of_same_repository(reference));
                same.find_map(|known| known.tag().map(str::to_owned))
            }
        };
        let mut digests: Vec<_> = reference.digest().map(str::to_owned).into_iter().collect();
        digests.extend(digests_in(reference, image));
        Self::new(reference, tag, digests)
    }

    /// An id, or nothing that can be read: the image's first name counts.
    fn of_image(container: &Container, image: Option<&Image>) -> Self {
        if let Some(image) = image {
            if let Some(first) = references(&image.tags).next() {
                let tag = first.tag().map(str::to_owned);
                return Self::new(&first, tag, digests_in(&first, Some(image)));
            }
            if let Some(first) = references(&image.digests).next() {
                return Self::new(&first, None, digests_in(&first, Some(image)));
            }
        }
        let id = container.image_id.split_once(':').map_or(container.image_id.as_str(), |(_, hash)| hash);
        let id = if id.is_empty() { &container.image } else { id };
        let name = id.chars().take(SHORT_ID_CHARS).collect();
        Self { registry: HUB.to_owned(), name, tag: None, digests: Vec::new() }
    }

    fn new(reference: &Reference, tag: Option<String>, all: Vec<String>) -> Self {
        let mut digests: Vec<String> = Vec::new();
        for digest in all {
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        let (registry, name) = (reference.registry().to_owned(), reference.path().to_owned());
        Self { registry, name, tag, digests }
    }

    /// A tag where there must be one.
    pub(super) fn tag_or_default(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }
}

/// What the container was made from is an image's id, or the beginning of its own, and no name.
fn is_id(container: &Container, image: Option<&Image>) -> bool {
    let written = container.image.as_str();
    let hash = container.image_id.split_once(':').map_or("", |(_, hash)| hash);
    let is_beginning = written.bytes().all(is_hex) && hash.starts_with(written);
    // A name may look like one, though.
    let is_name = || {
        let mut known = image.into_iter().flat_map(|image| references(&image.tags));
        known.any(|known| known.path() == written)
    };
    is_digest(written) || is_beginning && !is_name()
}

fn digests_in(reference: &Reference, image: Option<&Image>) -> Vec<String> {
    let known = image.into_iter().flat_map(|image| references(&image.digests));
    let same = known.filter(|known| known.is_of_same_repository(reference));
    same.filter_map(|known| known.digest().map(str::to_owned)).collect()
}

/// The names among an image's; `<none>:<none>` is none.
fn references(names: &[String]) -> impl Iterator<Item = Reference> {
    names.iter().filter_map(|name| Reference::parse(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "b6116122ba275c2f5776fb7a262848c19add14322ba1120070e392b3ad4c882c";
    const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

    /// Registry, name, tag and digests of a container made from `written`, whose image has these
    /// tags and digests.
    fn origin(written: &str, tags: &[&str], digests: &[&str]) -> (String, Vec<String>) {
        let container = format!(r#"{{"Id":"c","Image":"sha256:{HASH}","Config":{{"Image":"{written}"}}}}"#);
        let container = Container::read(container.as_bytes()).unwrap();
        let digests: Vec<_> = digests.iter().map(|name| name.replace("#1", ONE).replace("#2", TWO)).collect();
        let image = serde_json::json!({ "Id": "i", "RepoTags": tags, "RepoDigests": digests });
        let image = Image::read(image.to_string().into_bytes()).unwrap();
        let is_known = !tags.is_empty() || !digests.is_empty();
        let found = Origin::of(&container, is_known.then_some(&image));
        let tag = found.tag.as_deref().unwrap_or("-");
        (format!("{} {} {tag}", found.registry, found.name), found.digests)
    }

    #[test]
    fn a_name_is_what_was_written() {
        for (written, expected) in [
            ("nginx", "docker.io nginx latest"),
            ("nginx:1.27", "docker.io nginx 1.27"),
            ("library/redis:7", "docker.io library/redis 7"),
            ("docker.io/library/nginx", "docker.io library/nginx latest"),
            ("index.docker.io/acme/web", "docker.io acme/web latest"),
            ("ghcr.io/owner/repo:v1.2", "ghcr.io owner/repo v1.2"),
            ("registry.example.com/org/image:tag", "registry.example.com org/image tag"),
            ("localhost:5000/org/api", "localhost:5000 org/api latest"),
            ("localhost/worker", "localhost worker latest"),
            ("org/app", "docker.io org/app latest"),
        ] {
            assert_eq!(origin(written, &[], &[]), (expected.to_owned(), vec![]), "{written}");
            // What else the image is called does not matter.
            let (found, digests) = origin(written, &["other/name:9"], &["other/name@#1"]);
            assert_eq!((found.as_str(), digests), (expected, vec![]), "{written}");
        }
    }

    #[test]
    fn a_pinned_name_keeps_its_digest_and_finds_its_tag() {
        let pinned = format!("acme/web@{ONE}");
        let (found, digests) = origin(&pinned, &["acme/web:1.4", "x:2"], &["acme/web@#2", "acme/web@#1"]);
        assert_eq!((found.as_str(), digests), ("docker.io acme/web 1.4", vec![ONE.into(), TWO.into()]));
        // Not the tag of another repository.
        let (found, digests) = origin(&pinned, &["mirror/web:1.4"], &[]);
        assert_eq!((found.as_str(), digests), ("docker.io acme/web -", vec![ONE.into()]));
        let both = format!("acme/web:1.5@{ONE}");
        let (found, digests) = origin(&both, &["acme/web:1.4"], &["acme/web@#1", "other@#2"]);
        assert_eq!((found.as_str(), digests), ("docker.io acme/web 1.5", vec![ONE.into()]));
    }

    #[test]
    fn an_id_is_looked_up() {
        let whole = format!("sha256:{HASH}");
        for written in [whole.as_str(), HASH, &HASH[..12], &HASH[..4], "", ":", "Bad Name"] {
            let (found, digests) =
                origin(written, &["ghcr.io/acme/web:1.4", "x:2"], &["x@#2", "ghcr.io/acme/web@#1"]);
            assert_eq!((found.as_str(), digests), ("ghcr.io acme/web 1.4", vec![ONE.into()]), "{written}");
            let (found, digests) = origin(written, &["<none>:<none>"], &["<none>@<none>", "quay.io/x@#1"]);
            assert_eq!((found.as_str(), digests), ("quay.io x -", vec![ONE.into()]), "{written}");
            let (found, digests) = origin(written, &[], &[]);
            assert_eq!((found.as_str(), digests), ("docker.io b6116122ba27 -", vec![]), "{written}");
        }
        // A name that looks like the beginning of its own id.
        assert_eq!(origin("b6", &["x:2", "b6:latest"], &[]).0, "docker.io b6 latest");
        // A name in hexadecimal digits that is no id of this image.
        assert_eq!(origin("cafe", &["x:2"], &[]).0, "docker.io cafe latest");
    }

    #[test]
    fn a_name_is_never_empty_while_anything_is_known() {
        let of = |text: &str| {
            let found = Origin::of(&Container::read(text.as_bytes()).unwrap(), None);
            (found.name.clone(), found.tag_or_default().to_owned())
        };
        assert_eq!(of(r#"{"Id":"c","Config":{"Image":"::"}}"#), ("::".into(), "latest".into()));
        assert_eq!(of(r#"{"Id":"c"}"#), (String::new(), "latest".into()));
        assert_eq!(of(r#"{"Id":"c","Image":"abc"}"#), ("abc".into(), "latest".into()));
    }
}
