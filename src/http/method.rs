//! The methods we know.

use std::fmt;

/// A request method. Others are 501: what the Engine would do with them is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

impl Method {
    /// Names are case-sensitive: `get` is not GET.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "DELETE" => Self::Delete,
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// Asking again does no harm.
    pub(crate) fn is_safe(self) -> bool {
        match self {
            Self::Get | Self::Head | Self::Options => true,
            Self::Delete | Self::Patch | Self::Post | Self::Put => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] {
            let method = Method::parse(name).unwrap();
            assert_eq!((method.as_str(), method.to_string().as_str()), (name, name));
            assert_eq!(method.is_safe(), ["GET", "HEAD", "OPTIONS"].contains(&name), "{name}");
        }
        for other in ["get", "CONNECT", "TRACE", "PRI", ""] {
            assert_eq!(Method::parse(other), None);
        }
    }
}
