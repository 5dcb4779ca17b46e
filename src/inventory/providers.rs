//! Which of the controller's registry providers an image's registry belongs to.

use super::reference::{HUB, Reference};

/// Where a provider's registries are.
enum Hosts {
    /// This one.
    Is(&'static str),
    /// This one and every host below it.
    Under(&'static str),
    /// Every host whose name ends so.
    Ends(&'static str),
    /// Every host whose name begins and ends so.
    Between(&'static str, &'static str),
}

impl Hosts {
    fn have(&self, host: &str) -> bool {
        match self {
            Self::Is(name) => host == *name,
            Self::Under(name) => {
                host.strip_suffix(name).is_some_and(|below| below.is_empty() || below.ends_with('.'))
            }
            Self::Ends(end) => host.ends_with(end),
            Self::Between(begin, end) => host.starts_with(begin) && host.ends_with(end),
        }
    }
}

/// The providers that every controller of 1.6 has without being told. Later ones find out for
/// themselves; that one looks the name up as it is, and finds no updates where it is another.
const PROVIDERS: &[(Hosts, &str)] = &[
    (Hosts::Under(HUB), "hub.public"),
    (Hosts::Under("ghcr.io"), "ghcr.public"),
    (Hosts::Under("quay.io"), "quay.public"),
    (Hosts::Under("lscr.io"), "lscr.public"),
    (Hosts::Under("gcr.io"), "gcr.public"),
    (Hosts::Ends("-docker.pkg.dev"), "gar.public"),
    (Hosts::Is("public.ecr.aws"), "ecr.public"),
    (Hosts::Ends(".amazonaws.com"), "ecr.public"),
    (Hosts::Is("codeberg.org"), "codeberg.public"),
    (Hosts::Under("dhi.io"), "dhi.public"),
    (Hosts::Under("registry.digitalocean.com"), "docr.public"),
    (Hosts::Under("icr.io"), "ibmcr.public"),
    (Hosts::Under("ocir.io"), "ocir.public"),
    (Hosts::Under("dock.mau.dev"), "mau.public"),
    (Hosts::Under("oci.trueforge.org"), "trueforge.public"),
    (Hosts::Under("cr.aliyuncs.com"), "alicr.public"),
    (Hosts::Between("registry.", ".aliyuncs.com"), "alicr.public"),
    (Hosts::Between("registry-intl.", ".aliyuncs.com"), "alicr.public"),
];

/// What a registry is called that no provider knows.
const UNKNOWN: &str = "unknown";

/// The provider of `registry`, or of the one `lookup` names instead.
pub(super) fn provider(registry: &str, lookup: Option<&str>) -> &'static str {
    let elsewhere = lookup.map(str::trim).filter(|lookup| !lookup.is_empty()).map(lookup_registry);
    let host = elsewhere.as_deref().unwrap_or(registry).to_ascii_lowercase();
    PROVIDERS.iter().find(|(hosts, _)| hosts.have(&host)).map_or(UNKNOWN, |(_, name)| *name)
}

/// A lookup is an image, a registry by its host, or one by its address.
fn lookup_registry(lookup: &str) -> String {
    if let Some((_, address)) = lookup.split_once("://") {
        return address.split(['/', ':']).next().unwrap_or_default().to_owned();
    }
    if !lookup.contains('/') {
        return lookup.to_owned();
    }
    Reference::parse(lookup).map_or_else(|_| UNKNOWN.to_owned(), |image| image.registry().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_the_provider_that_serves_it() {
        for (registry, name) in [
            ("docker.io", "hub.public"),
            ("registry-1.docker.io", "hub.public"),
            ("notdocker.io", "unknown"),
            ("ghcr.io", "ghcr.public"),
            ("GHCR.io", "ghcr.public"),
            ("evilghcr.io", "unknown"),
            ("ghcr.io.example.test", "unknown"),
            ("lscr.io", "lscr.public"),
            ("quay.io", "quay.public"),
            ("eu.gcr.io", "gcr.public"),
            ("europe-west1-docker.pkg.dev", "gar.public"),
            ("public.ecr.aws", "ecr.public"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr.public"),
            ("codeberg.org", "codeberg.public"),
            ("registry.cn-hangzhou.aliyuncs.com", "alicr.public"),
            ("shop.cr.aliyuncs.com", "alicr.public"),
            ("127.0.0.1:5000", "unknown"),
            ("localhost", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(provider(registry, None), name, "{registry}");
        }
    }

    #[test]
    fn a_lookup_elsewhere_has_the_provider_of_elsewhere() {
        for (lookup, name) in [
            ("ghcr.io/acme/web", "ghcr.public"),
            ("library/nginx", "hub.public"),
            ("https://registry-1.docker.io", "hub.public"),
            ("https://quay.io:443/v2", "quay.public"),
            ("quay.io", "quay.public"),
            ("nginx", "unknown"),
            ("Bad/Name", "unknown"),
            (" ", "lscr.public"),
        ] {
            assert_eq!(provider("lscr.io", Some(lookup)), name, "{lookup}");
        }
    }
}
