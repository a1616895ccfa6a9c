import MailModel
import Testing

@testable import MailFormat

/// Text in the charsets of the world, as it is really sent.
@Suite struct CharsetTests {
    private func text(_ bytes: [UInt8], _ charset: String) -> String {
        var defects = DefectList()
        return CharsetDecoder.decode(bytes, charset: charset, defects: &defects)
    }

    private func subject(_ value: String) -> String {
        MessageReader.read(ReceivedMessage(headers: [HeaderField("Subject", value)])).subject
    }

    /// Programs name the small charset and write the large one.
    @Test(arguments: [
        ("gb2312", [0xE9, 0x46], "镕"), ("GBK", [0xE9, 0x46], "镕"), ("Shift_JIS", [0x87, 0x40], "①"),
        ("euc-kr", [0x8C, 0x63], "똠"), ("ks_c_5601-1987", [0x8C, 0x63], "똠"), ("euc-jp", [0xAD, 0xA1], "①"),
        ("iso-8859-9", [0x80], "€"), ("ISO8859-1", [0x92], "’"), ("latin-1", [0x92], "’"), ("cp-1252", [0x92], "’"),
        ("tis-620", [0x80], "€"),
    ])
    func whatContainsTheNamedCharsetIsRead(charset: String, bytes: [UInt8], wanted: String) {
        #expect(text(bytes, charset) == wanted)
    }

    /// One character that is none, and all that follows is read.
    @Test(arguments: [
        // A circled one between the escape sequences of JIS X 0208, which has none.
        ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x2D, 0x21, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x61], "\u{FFFD}日本a"),
        // Half of a surrogate pair.
        ("utf-16be", [0xDC, 0x00, 0x00, 0x41, 0x00, 0x42], "\u{FFFD}AB"),
        ("utf-32be", [0, 0x11, 0, 0, 0, 0, 0, 0x41], "\u{FFFD}A"),
        ("gb18030", [0xFF, 0x41], "\u{FFFD}A"),
    ])
    func aCharacterThatIsNoneCostsNoOther(charset: String, bytes: [UInt8], wanted: String) {
        #expect(text(bytes, charset) == wanted)
    }

    @Test(arguments: [
        ("=?gb2312?B?6UY=?=", "镕"), ("=?iso-8859-1?Q?it=92s?=", "it’s"), ("=?Shift_JIS*ja?B?h0A=?=", "①"),
        ("=?utf-8*en?Q?caf=C3=A9?=", "café"), ("=?zq9?Q?caf=C3=A9?=", "café"), ("=?zq9?x?y?=", "=?zq9?x?y?="),
    ])
    func encodedWordsAreReadTheSameWay(value: String, wanted: String) {
        #expect(subject(value) == wanted)
    }

    /// GMime keeps every name that it was ever asked for.
    @Test(arguments: [
        ("=?zq1?q?x?= =?zq2?B?eA==?= =?utf-8?q?x?=", "=?x-unknown?q?x?= =?x-unknown?B?eA==?= =?utf-8?q?x?="),
        ("attachment; filename*=zq1'en'x; a=b", "attachment; filename*=x-unknown'en'x; a=b"),
        ("attachment; filename*0*=\"zq1''x\"", "attachment; filename*0*=\"x-unknown''x\""),
        ("attachment; filename*=UTF-8''x", "attachment; filename*=UTF-8''x"), ("a=?b *= c'd", "a=?b *= x-unknown'd"),
        // Comments, and what glibc passes over.
        ("a; b*(c)=y1'en'x", "a; b* =x-unknown'en'x"), ("a; b*=(c (d\\)))z1'en'x", "a; b*= x-unknown'en'x"),
        ("a; b*=\"(c)\"", "a; b*=\"(c)\""), ("=?koi8-u(+)(?q?a?=", "=?x-unknown?q?a?="),
        ("=?x;1?q?a?=", "=?x-unknown?q?a?="), ("=?x 1?q?a?=", "=?x-unknown?q?a?="),
        ("=?u+tf-8?q?a?=", "=?x-unknown?q?a?="),
        ("=?utf-8//x1?q?x?=", "=?x-unknown?q?x?="), ("1 =? 2 ?q?", "1 =? 2 ?q?"), ("plain", "plain"), ("", ""),
    ])
    func namesThatNobodyKnowsAreOneName(value: String, wanted: String) {
        #expect(String(decoding: CharsetNames.tamed(Array(value.utf8), hasParameters: true), as: UTF8.self) == wanted)
    }

    /// Other fields have no parameters: what looks like one is text.
    @Test func textIsLeftAlone() {
        let text = "a*=b'c (d) =? 2 ?q? e"
        #expect(CharsetNames.tamed(Array(text.utf8)) == Array(text.utf8))
    }

    @Test(
        .timeLimit(.minutes(5)),
        arguments: ["*=", "=?", "(*", "=?a?q", "=?a?q?b?=", "=?a?q?", "*=a'", "* ", "=?a*", "*=\"", "*=*="])
    func aFieldOfNothingElseIsGoneThroughOnce(piece: String) {
        let field = Array(String(repeating: piece, count: 100_000 / piece.utf8.count).utf8)
        for hasParameters in [false, true] {
            #expect(CharsetNames.tamed(field + [0x3D], hasParameters: hasParameters).count < 4 * field.count)
        }
    }
}
