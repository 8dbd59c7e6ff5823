use proptest::prelude::*;

use super::*;

fn node(program: &[u8]) -> Result<Node, String> {
    read(program).map(|p| p.nodes[p.root].clone())
}

#[test]
fn integers_have_their_signs() {
    for (program, value) in [
        (&b"K\xff."[..], 255),
        (b"M\x00\x80.", 32768),
        (b"J\xfe\xff\xff\xff.", -2),
        (b"\x8a\x00.", 0),
        (b"\x8a\x01\xff.", -1),
        (b"\x8a\x05\x00\x00\x00\x00\x01.", 1 << 32),
    ] {
        assert_eq!(node(program), Ok(Node::Int(value)));
    }
}

#[test]
fn containers_nest_and_are_remembered() {
    // {"a": [1, (2, 3)], "b": the same list}
    let p = read(b"\x80\x02}q\x00(X\x01\x00\x00\x00a]q\x01(K\x01K\x02K\x03\x86eX\x01\x00\x00\x00bh\x01u.").unwrap();
    let Node::Dict(dict) = &p.nodes[p.root] else { panic!("no dictionary") };
    assert_eq!(dict.len(), 2);
    assert_eq!(dict[0].1, dict[1].1);
    let Node::List(list) = &p.nodes[dict[0].1] else { panic!("no list") };
    assert!(matches!(&p.nodes[list[1]], Node::Tuple(parts) if parts.len() == 2));
    // A list that contains itself is only a position.
    assert!(read(b"]q\x00h\x00a.").is_ok());
}

#[test]
fn other_names_than_those_of_a_state_dict_are_refused() {
    for (program, name) in [
        (&b"cposix\nsystem\n(X\x04\x00\x00\x00truetR."[..], "posix.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "builtins.eval"),
        (b"ctorch\nload\n.", "torch.load"),
        (b"cdotmap\nDotMap\n)R.", "dotmap.DotMap"),
    ] {
        let problem = node(program).unwrap_err();
        assert!(problem.contains(name) && problem.contains("nothing was executed"), "{problem}");
    }
}

#[test]
fn malformed_programs_are_errors() {
    for (program, words) in [
        (&b""[..], "ends too early"),
        (b"X\xff\xff\xff\xffabc.", "ends too early"),
        (b"\x80\x09.", "protocol 9"),
        (b".", "value is missing"),
        (b"t.", "value is missing"),
        (b"K\x01(\x85.", "value is missing"),
        (b"h\x07.", "reference to nothing"),
        (b"K\x01K\x02a.", "in the place of a list"),
        (b"](K\x01u.", "in the place of a dictionary"),
        (b"}(K\x01u.", "without a value"),
        (b"ccollections\nOrderedDict\nK\x01\x85R.", "other arguments"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x01))tR.", "without a storage"),
        (b"K\x01K\x02b.", "attributes of an integer"),
        (b"(K\x01K\x02K\x03K\x04K\x05tQ.", "no storage"),
        (b"\x81.", "instruction 0x81"),
    ] {
        let problem = node(program).unwrap_err();
        assert!(problem.contains(words), "{problem} has not {words}");
    }
}

proptest! {
    #[test]
    fn no_program_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        ops in prop::collection::vec(prop::sample::select(&b"().]}NKaeustRbQqhJcX\n"[..]), 0..=40),
    ) {
        let _ = read(&bytes);
        let _ = read(&ops);
    }
}
