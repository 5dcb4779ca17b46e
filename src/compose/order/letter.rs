//! The JSON of an order: members of their types, each once, and not more of them than are needed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::{COMPOSE_ENV_MAX, COMPOSE_FILES_MAX, COMPOSE_REGISTRIES_MAX, COMPOSE_SERVICES_MAX};
use crate::secret::Secret;

/// An order as it was written. `null` is as good as nothing, and other members are no business of ours.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letter<'a> {
    #[serde(borrow)]
    pub(super) operation: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stack_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stack_dir: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) services: Option<Many<Text<'a>, COMPOSE_SERVICES_MAX>>,
    #[serde(borrow)]
    pub(super) env_vars: Option<Members<'a, Hidden, COMPOSE_ENV_MAX>>,
    #[serde(borrow)]
    pub(super) files: Option<Members<'a, Text<'a>, COMPOSE_FILES_MAX>>,
    #[serde(borrow)]
    pub(super) registry_auth: Option<OneOrMany<'a>>,
    pub(super) build: Option<bool>,
    pub(super) force_recreate: Option<bool>,
    pub(super) no_deps: Option<bool>,
    pub(super) remove_volumes: Option<bool>,
    pub(super) tail: Option<i64>,
    pub(super) timestamps: Option<bool>,
    pub(super) follow: Option<bool>,
    pub(super) all: Option<bool>,
    pub(super) timeout: Option<i64>,
    pub(super) no_cache: Option<bool>,
    pub(super) pull_bases: Option<bool>,
    pub(super) stop_first: Option<bool>,
    pub(super) quiet: Option<bool>,
    #[serde(borrow)]
    pub(super) format: Option<Text<'a>>,
}

impl<'a> Letter<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body).map(|Object(letter)| letter)
    }
}

/// Who one is at a registry.
#[derive(serde::Deserialize)]
pub(super) struct Credential<'a> {
    #[serde(borrow)]
    pub(super) server: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) username: Option<Text<'a>>,
    pub(super) password: Option<Hidden>,
}

/// A text, where possible as it stands in the body.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// A text that is a secret from here on.
pub(super) struct Hidden(pub(super) Secret<String>);

/// A list, and one entry more than is taken where there are too many. Those behind it are passed over.
pub(super) struct Many<T, const MAX: usize>(pub(super) Vec<T>);

/// The same for members of an object, no two of which have one name.
pub(super) struct Members<'a, T, const MAX: usize>(pub(super) Vec<(Text<'a>, T)>);

/// Credentials for a registry, or a list of them.
pub(super) struct OneOrMany<'a>(pub(super) Vec<Credential<'a>>);

/// An object: a list of its values in order is none.
struct Object<T>(T);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Seen)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_map(Seen(PhantomData))
    }
}

/// The entries of a list up to one too many.
fn entries<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut list: A, max: usize) -> Result<Vec<T>, A::Error> {
    let mut entries = Vec::new();
    while entries.len() <= max {
        match list.next_element()? {
            Some(entry) => entries.push(entry),
            None => return Ok(entries),
        }
    }
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(entries)
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Many<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Seen<T, MAX> {
            type Value = Many<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                entries(list, MAX).map(Many)
            }
        }
        from.deserialize_seq(Seen(PhantomData))
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Members<'a, T, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Seen<T, MAX> {
            type Value = Members<'de, T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut names) = (Vec::new(), HashSet::new());
                while members.len() <= MAX {
                    let Some((name, value)) = map.next_entry::<Text<'de>, T>()? else {
                        return Ok(Members(members));
                    };
                    if !names.insert(name.0.clone()) {
                        return Err(de::Error::custom(format_args!("duplicate member {:?}", name.0)));
                    }
                    members.push((name, value));
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Members(members))
            }
        }
        from.deserialize_map(Seen(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMany<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = OneOrMany<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Credential::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                let many = entries::<Object<Credential<'de>>, A>(list, COMPOSE_REGISTRIES_MAX)?;
                Ok(OneOrMany(many.into_iter().map(|Object(one)| one).collect()))
            }
        }
        from.deserialize_any(Seen)
    }
}
