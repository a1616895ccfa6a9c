import Foundation
import ServerTestKit

/// A message that no well-meaning program writes.
struct BadInputMessage: Sendable {
    let name: String
    /// As it goes on the wire before dot-stuffing.
    let bytes: [UInt8]

    /// Envelope sender, and From where the message has one: how its event is found.
    var sender: String { "\(name)@sender.example" }

    private init(_ name: String, header: String? = nil, _ body: [UInt8]) {
        self.name = name
        guard let header else {
            bytes = body
            return
        }
        let first = "From: \(name)@sender.example\nSubject: \(name)\nMessage-ID: <\(name)@sender.example>\n"
        bytes = SMTPClient.wireBytes(first + header + "\n") + body
    }

    private init(_ name: String, header: String, text: String) {
        self.init(name, header: header, SMTPClient.wireBytes(text))
    }

    static let all: [BadInputMessage] = [
        .init("no-header-at-all", SMTPClient.wireBytes("this is no field\n\nnor is this\n")),
        .init("nothing-at-all", []),
        .init("empty-body", header: "", []),
        .init("truncated-multipart", header: multipart("b"), text: "--b\nContent-Type: text/html\n\n<p>cut o"),
        .init("truncated-part-header", header: multipart("b"), text: "--b\nContent-Type: text/pl"),
        .init("no-boundary", header: "MIME-Version: 1.0\nContent-Type: multipart/mixed\n", text: "--\n\n--\n"),
        .init("broken-base64", header: encoded("base64"), text: "====@@@@ZZZ\n=\n"),
        .init("broken-quoted-printable", header: encoded("quoted-printable"), text: "=ZZ=\n=0=\n=3D=C3\n"),
        .init("unknown-encoding", header: encoded("x-nobody-knows"), text: "hello\n"),
        .init("unknown-charset", header: "Content-Type: text/plain; charset=klingon-8\n", text: "hello\n"),
        .init(
            "invalid-utf8", header: "Content-Type: text/plain; charset=utf-8\n", [0xC3, 0x28, 0xFF, 0xFE, 0x80, 13, 10]),
        .init("nul-bytes", header: "", [0x61, 0, 0x62, 0, 0, 13, 10]),
        .init(
            "all-octets", header: "",
            Array(repeating: Array(UInt8.min...UInt8.max), count: 64).flatMap { $0 } + [13, 10]),
        .init("bare-line-ends", header: "", Array("one\rtwo\nthree\r\rfour\n\nfive\r\n".utf8)),
        .init(
            "bad-fields", header: "NoColon\n: no name\nSubject\u{1}: x\nFrom:\nFrom: ,,,<>;\nDate: tomorrow\n",
            text: "x\n"),
        .init(
            "endless-encoded-word", header: "X-Word: =?utf-8?B?" + String(repeating: "w", count: 3000) + "\n",
            text: "x\n"),
        .init("10000-fields", header: (0..<10_000).map { "X-Field-\($0): value \($0)\n" }.joined(), text: "x\n"),
        .init("60000-byte-field", header: "X-Long: " + folded(60_000) + "\n", text: "x\n"),
        .init("60000-byte-line", header: "X-Line: " + String(repeating: "y", count: 60_000) + "\n", text: "x\n"),
        .init("1000-nested-multiparts", header: multipart("n0"), text: nested(1000)),
        .init(
            "100000-parts", header: multipart("p"), text: String(repeating: "--p\n\nx\n", count: 100_000) + "--p--\n"),
        .init("100000-boundaries", header: multipart("p"), text: String(repeating: "--p\n", count: 100_000)),
        .init("long-boundary", header: multipart(String(repeating: "b", count: 5000)), text: "--b\n\nx\n"),
        .init("html-depth", header: "Content-Type: text/html\n", text: String(repeating: "<div><b>\n", count: 50_000)),
        .init(
            "message-in-message", header: "Content-Type: message/rfc822\n",
            text: String(repeating: "Content-Type: message/rfc822\n\n", count: 2000)),
        .init("recipients-in-to", header: "To: " + addresses(5000) + "\n", text: "x\n"),
    ]

    private static func multipart(_ boundary: String) -> String {
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"\(boundary)\"\n"
    }

    private static func encoded(_ encoding: String) -> String {
        "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: \(encoding)\n"
    }

    private static func folded(_ size: Int) -> String {
        String(repeating: String(repeating: "z", count: 70) + "\n ", count: size / 72) + "z"
    }

    private static func nested(_ depth: Int) -> String {
        (1...depth).map { "--n\($0 - 1)\n\(multipart("n\($0)"))\n" }.joined() + "--n\(depth)\n\nat last\n"
    }

    private static func addresses(_ count: Int) -> String {
        (0..<count).map { "<user\($0)@sender.example>" }.joined(separator: ",\n ")
    }
}

/// The message corpus beside the project.
enum BadInputCorpus {
    /// Name and bytes of every message; nil when the corpus is not there.
    static func messages() throws -> [(name: String, bytes: [UInt8])]? {
        let corpora =
            ProcessInfo.processInfo.environment["POSTRIDER_CORPORA"]
            ?? URL(fileURLWithPath: BuiltProduct.packageRoot).deletingLastPathComponent().path + "/shared/corpora"
        let root = corpora + "/mime"
        // The enumerator of a folder that is missing is an empty one.
        guard FileManager.default.fileExists(atPath: root), let walker = FileManager.default.enumerator(atPath: root)
        else { return nil }
        let names = walker.compactMap { $0 as? String }.filter { $0.hasSuffix(".eml") }.sorted()
        return try names.map { name in
            (name, wireBytes(try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)"))))
        }
    }

    /// Line feeds as CRLF, nothing else touched: corpora hold 8-bit text that is no UTF-8.
    private static func wireBytes(_ raw: Data) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count + raw.count / 32)
        for byte in raw where byte != 0x0D {
            if byte == 0x0A { result.append(0x0D) }
            result.append(byte)
        }
        return result
    }
}
