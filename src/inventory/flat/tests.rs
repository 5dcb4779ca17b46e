//! The flat shape, byte for byte, of real containers and of the documented example.

use super::*;
use crate::inventory::model::Secrets;

const WEB: &[u8] = include_bytes!("../../../tests/fixtures/inspect/web.json");
const IMAGE: &[u8] = include_bytes!("../../../tests/fixtures/inspect/image-web.json");

fn flat(inspection: &[u8], image: Option<&[u8]>, telling: &Telling<'_>) -> String {
    let container = Container::read(inspection).unwrap();
    let image = image.map(|image| Image::read(image.to_vec()).unwrap());
    serde_json::to_string(&Flat::new(&container, image.as_ref(), telling)).unwrap()
}

const OPEN: Telling<'_> = Telling { agent: None, secrets: Secrets::Told };

#[test]
fn a_real_container_is_told_whole_and_in_order() {
    let told = flat(WEB, Some(IMAGE), &Telling { agent: Some("harbour"), secrets: Secrets::Told });
    let expected = concat!(
        r#"{"id":"f2f38da2f87200b24f06ccee26898dcd32239bb2017720d33cc7fcc34f340dc3","#,
        r#""name":"harbour-web-1","displayName":"harbour-web-1","status":"running","watcher":"docker","#,
        r#""agent":"harbour","image":{"#,
        r#""id":"sha256:b6116122ba275c2f5776fb7a262848c19add14322ba1120070e392b3ad4c882c","#,
        r#""registry":"127.0.0.1:5000","name":"acme/web","tag":"1.4.2","#,
        r#""created":"2026-11-20T14:47:16.522934735Z","#,
        r#""digest":"sha256:de3e89b0376e7eeafc51d47bef8201a7c2eaab1023fe31c902735fdc3c9d7677","#,
        r#""architecture":"amd64","os":"linux","size":1982256},"#,
        r#""updateAvailable":false,"updateKind":"unknown","labels":{"#,
        r#""com.docker.compose.project":"harbour","com.docker.compose.service":"web","#,
        r#""dd.action.include":"update","dd.depends_on":"harbour-db,harbour-cache","#,
        r#""dd.display.icon":"mdi:web","dd.display.name":"Harbour web","dd.empty":"","#,
        r#""dd.notification.include":"mail","dd.tag.exclude":"-rc","#,
        r#""dd.tag.include":"^\\d+\\.\\d+\\.\\d+$","dd.tag.transform":"^v(.*)$ => $1","#,
        r#""dd.watch":"true","maintainer":"ops@example.test","#,
        r#""org.opencontainers.image.title":"harbour web","org.opencontainers.image.version":"1.4.2"},"#,
        r#""details":{"platform":"linux","command":"/bin/busybox sleep 3600","ports":["#,
        r#"{"container":53,"protocol":"udp"},"#,
        r#"{"container":80,"host":18080,"protocol":"tcp","ip":"127.0.0.1"},"#,
        r#"{"container":443,"host":18443,"protocol":"tcp","ip":"0.0.0.0"}],"network":["#,
        r#"{"name":"harbour-back","ipAddress":"172.25.0.2","gateway":"172.25.0.1"},"#,
        r#"{"name":"harbour-net","ipAddress":"172.24.0.2","gateway":"172.24.0.1"}],"volumes":["#,
        r#"{"type":"bind","source":"/etc/ssl/certs","destination":"/certs","readOnly":true},"#,
        r#"{"type":"volume","source":"/var/lib/docker/volumes/harbour-data/_data","#,
        r#""destination":"/data","readOnly":false},"#,
        r#"{"type":"tmpfs","source":"","destination":"/scratch","readOnly":false}],"#,
        r#""created":"2026-11-20T14:47:16.625089948Z","started":"2026-11-20T14:47:16.883815856Z","#,
        r#""health":"healthy"}}"#,
    );
    assert_eq!(told, expected);
}

#[test]
fn the_documented_example_is_told_as_it_is_documented() {
    let inspection = br#"{"Id":"4f","Created":"2026-01-15T10:00:00.1Z","Name":"/web","Platform":"linux",
        "Image":"sha256:ab","State":{"Status":"running","StartedAt":"2026-01-15T10:00:01.2Z"},
        "Config":{"Image":"nginx:1.27","Cmd":["nginx","-g","daemon off;"],
            "Labels":{"dd.display.name":"Web shop"}},
        "NetworkSettings":{"Networks":{"bridge":{"IPAddress":"172.17.0.2","Gateway":"172.17.0.1"}}}}"#;
    let told = flat(inspection, None, &Telling { agent: Some("host-1"), secrets: Secrets::Told });
    let expected = concat!(
        r#"{"id":"4f","name":"web","displayName":"web","status":"running","watcher":"docker","#,
        r#""agent":"host-1","image":{"id":"sha256:ab","registry":"docker.io","name":"nginx","tag":"1.27"},"#,
        r#""updateAvailable":false,"updateKind":"unknown","labels":{"dd.display.name":"Web shop"},"#,
        r#""details":{"platform":"linux","command":"nginx -g daemon off;","#,
        r#""network":[{"name":"bridge","ipAddress":"172.17.0.2","gateway":"172.17.0.1"}],"#,
        r#""created":"2026-01-15T10:00:00.1Z","started":"2026-01-15T10:00:01.2Z"}}"#,
    );
    assert_eq!(told, expected);
}

#[test]
fn a_container_of_nothing_has_nothing_but_what_is_always_told() {
    let expected = concat!(
        r#"{"id":"c","name":"","displayName":"","status":"stopped","watcher":"docker","#,
        r#""image":{"id":"","registry":"docker.io","name":"","tag":"latest"},"#,
        r#""updateAvailable":false,"updateKind":"unknown","details":{}}"#,
    );
    assert_eq!(flat(br#"{"Id":"c"}"#, None, &Telling { agent: Some(""), ..OPEN }), expected);
}

#[test]
fn what_neither_runs_nor_is_about_to_has_stopped() {
    for (word, status) in [
        ("created", "created"),
        ("running", "running"),
        ("paused", "paused"),
        ("restarting", "restarting"),
        ("dead", "dead"),
        ("removing", "stopped"),
        ("exited", "stopped"),
    ] {
        let told = flat(format!(r#"{{"Id":"c","State":{{"Status":"{word}"}}}}"#).as_bytes(), None, &OPEN);
        assert!(told.contains(&format!(r#""status":"{status}""#)), "{told}");
    }
}

#[test]
fn ports_are_told_once_and_in_order() {
    let ports = |bound: &str, exposed: &str| {
        let (bound, exposed) =
            (format!(r#""Ports":{{{bound}}}"#), format!(r#""ExposedPorts":{{{exposed}}}"#));
        let json = format!(r#"{{"Id":"c","NetworkSettings":{{{bound}}},"Config":{{{exposed}}}}}"#);
        let told: serde_json::Value = serde_json::from_str(&flat(json.as_bytes(), None, &OPEN)).unwrap();
        serde_json::to_string(&told["details"]["ports"]).unwrap()
    };
    let twins = r#""80/tcp":[{"HostIp":"::","HostPort":"8080"},{"HostIp":"0.0.0.0","HostPort":"8080"}]"#;
    assert_eq!(ports(twins, ""), r#"[{"container":80,"host":8080,"ip":"0.0.0.0","protocol":"tcp"}]"#);
    // Published for version 6 alone, or elsewhere than for version 4, it is told.
    let alone = r#""80/tcp":[{"HostIp":"::","HostPort":"8080"},{"HostIp":"0.0.0.0","HostPort":"8081"}]"#;
    assert_eq!(
        ports(alone, ""),
        concat!(
            r#"[{"container":80,"host":8080,"ip":"::","protocol":"tcp"},"#,
            r#"{"container":80,"host":8081,"ip":"0.0.0.0","protocol":"tcp"}]"#
        )
    );
    let told = ports(
        r#""80/tcp":null,"443/tcp":[{"HostIp":"","HostPort":"1"}]"#,
        r#""53/udp":{},"80/tcp":{},"443/tcp":{}"#,
    );
    assert_eq!(
        told,
        concat!(
            r#"[{"container":53,"protocol":"udp"},{"container":80,"protocol":"tcp"},"#,
            r#"{"container":443,"host":1,"protocol":"tcp"}]"#
        )
    );
    assert_eq!(ports(r#""99999/tcp":null,"x":null,"7":null"#, ""), r#"[{"container":7,"protocol":"tcp"}]"#);
}

#[test]
fn no_value_of_the_environment_is_ever_told() {
    let told = flat(WEB, Some(IMAGE), &OPEN);
    assert!(String::from_utf8_lossy(WEB).contains("hunter2"));
    assert!(!told.contains("hunter2") && !told.contains("PASSWORD"));
}

#[test]
fn a_command_line_is_told_to_those_who_may_read_secrets() {
    let inspection = br#"{"Id":"c","Config":{"Cmd":["run","--password","hunter2"]}}"#;
    assert!(flat(inspection, None, &OPEN).contains(r#""command":"run --password hunter2""#));
    let hidden = flat(inspection, None, &Telling { secrets: Secrets::Hidden, ..OPEN });
    assert!(hidden.contains(r#""command":"***""#) && !hidden.contains("hunter2"));
    let none = flat(br#"{"Id":"c"}"#, None, &Telling { secrets: Secrets::Hidden, ..OPEN });
    assert!(!none.contains("command"));
}
