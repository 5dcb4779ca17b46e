//! Callers of compose: two at once, one who leaves, and one with the password of a registry.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::compose_yard::{Yard, waiting, with_each};
use crate::registry::Registry;
use crate::wait::until;

#[test]
fn two_callers_of_one_stack_are_both_served() {
    with_each(&[], |yard| {
        let files = Yard::services(&json!({"web": waiting(&json!({})), "db": waiting(&json!({}))}));
        let orders = ["one", "two", "three"].map(|value| {
            let more = json!({"files": files, "envVars": {"WHO": value}});
            yard.send("up", "shop", &more)
        });
        for order in orders {
            order.told().good();
        }
        assert_eq!(yard.containers(), [yard.container("shop", "db"), yard.container("shop", "web")]);
    });
}

#[test]
fn a_stack_is_up_although_its_caller_left() {
    with_each(&[], |yard| {
        // The first is well once somebody says so; the second waits for that.
        let health = json!({"test": ["CMD", "test", "-e", "/well"], "interval": "1s", "retries": 1000});
        let services = json!({
            "first": waiting(&json!({"healthcheck": health})),
            "second": waiting(&json!({"depends_on": {"first": {"condition": "service_healthy"}}})),
        });
        let (first, second) = (yard.container("shop", "first"), yard.container("shop", "second"));
        let order = yard.send("up", "shop", &json!({"files": Yard::services(&services)}));
        let running = |name: &str| yard.told("{{.State.Running}}", name) == "true";
        until("the first is there", || running(&first).then_some(()));
        assert!(!running(&second));
        drop(order);
        yard.straight.run(&["exec", &first, "touch", "/well"]).good();
        until("the second is there", || running(&second).then_some(()));
        until("nothing private is left", || (yard.private() == 0).then_some(()));
        assert!(yard.order("ps", "shop", &json!({})).good().contains(&second));
    });
}

/// Whether one of these words stands in any file below.
fn holds(path: &Path, words: &[&str]) -> bool {
    // The link to the program leads out of here.
    if path.is_symlink() {
        return false;
    }
    if path.is_dir() {
        return fs::read_dir(path)
            .expect("a directory")
            .any(|entry| holds(&entry.expect("an entry").path(), words));
    }
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    words.iter().any(|word| text.contains(word))
}

#[test]
fn an_image_is_pulled_with_the_password_of_its_registry_and_the_password_is_forgotten() {
    with_each(&[], |yard| {
        let registry = Registry::start();
        let image = registry.image();
        let server = image.split('/').next().expect("an address").to_owned();
        let files = Yard::services(&json!({"web": {"image": image}}));
        let with = |server: &str, password: &str| {
            let auth = json!({"server": server, "username": "user", "password": password});
            yard.order("pull", "shop", &json!({"files": files, "registryAuth": auth}))
        };
        let is_here = || yard.straight.run(&["image", "inspect", &image]).status.success();
        let refused = with(&server, "another").bad();
        assert!(!is_here(), "{refused}");
        assert!(
            refused.contains("no basic auth credentials") || refused.contains("nauthorized"),
            "{refused}"
        );
        let without = yard.order("pull", "shop", &json!({"files": files})).bad();
        assert!(!is_here(), "{without}");
        let pulled = with(&server, "password");
        let was_here = is_here();
        yard.straight.run(&["rmi", &image]);
        pulled.good();
        assert!(was_here);
        let named = with(&format!("http://{server}"), "password");
        yard.straight.run(&["rmi", &image]);
        named.good();
        assert!(!yard.order("pull", "shop", &json!({})).success, "the password was kept");
        assert_eq!(yard.private(), 0);
        let words = ["dXNlcjpwYXNzd29yZA", "\"password\""];
        assert!(!holds(yard.folder.path(), &words), "the password is on the disk");
    });
}
