//! Images: commit, tag, history, list and remove.

use crate::agent::Agent;
use crate::both_ways::{both_ways, same};
use crate::docker::{Docker, IMAGE};
use crate::scene::Scene;

#[test]
fn a_commit_makes_an_image_of_a_container() {
    both_ways(|side| {
        let (name, image) = (side.name("commit"), side.name("image:1"));
        side.docker(&["run", "--name", &name, IMAGE, "sh", "-c", "echo kept > /var/opt/kept"]).good();
        let change = r#"CMD ["cat", "/var/opt/kept"]"#;
        let id = side
            .docker(&["commit", "-m", "a message", "-a", "an author", "-c", change, &name, &image])
            .good();
        assert!(id.text().starts_with("sha256:"), "{}", id.text());
        assert_eq!(side.docker(&["run", "--rm", &image]).good().text(), "kept\n");
        let format = "{{.Comment}} | {{.Author}} | {{json .Config.Cmd}}";
        side.docker(&["image", "inspect", "--format", format, &image]).good();
        side.docker(&["history", "--format", "{{.CreatedBy}} | {{.Comment}}", &image]).good();
        let unknown = side.docker(&["commit", &side.name("unknown")]);
        assert!(unknown.errors().contains("No such container"), "{}", unknown.errors());
    });
}

#[test]
fn an_image_is_tagged_listed_and_removed() {
    both_ways(|side| {
        let (one, two) = (side.name("tag:1"), side.name("tag:2"));
        side.docker(&["tag", IMAGE, &one]).good();
        side.docker(&["tag", &one, &two]).good();
        let filter = format!("reference={}*:*", side.scene.prefix());
        let format = "{{.Repository}} {{.Tag}} {{.ID}} {{.Size}}";
        let listed = side.docker(&["images", "--filter", &filter, "--format", format]).good().text();
        assert_eq!(listed.lines().count(), 2, "{listed}");
        side.docker(&["rmi", &one, &two]).good();
        let again = side.docker(&["rmi", &one]);
        assert!(again.errors().contains("No such image"), "{}", again.errors());
    });
}

#[test]
fn an_image_looks_the_same_to_the_byte() {
    let agent = Agent::start();
    let straight = Docker::straight();
    let scene = Scene::new(&straight);
    // An image of its own: the one all share gets and loses names while other tests run.
    let (name, image) = (scene.name("made"), scene.name("image:1"));
    straight.run(&["create", "--name", &name, IMAGE, "true"]).good();
    straight.run(&["commit", &name, &image]).good();
    assert!(same(&agent, &["image", "inspect", &image]).good().text().contains(&image));
    same(&agent, &["history", "--no-trunc", "--human=false", &image]).good();
    let filter = format!("reference={image}");
    let format = "{{json .ID}} {{.Repository}} {{.Tag}} {{.Size}} {{.CreatedAt}}";
    let listed = same(&agent, &["images", "--no-trunc", "--filter", &filter, "--format", format]).good();
    assert_eq!(listed.text().lines().count(), 1);
    let unknown = same(&agent, &["image", "inspect", "lookout-test/none:1"]);
    assert_eq!(unknown.code(), Some(1));
}
