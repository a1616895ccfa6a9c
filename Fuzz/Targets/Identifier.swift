import FuzzKit
import WorkflowModel

@testable import Engine

/// Times, ids and tokens as text.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzIdentifier(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let bytes = Array(input.rest)
    let text = input.text()
    if let time = Timestamp(rfc3339: text) {
        let again = Timestamp(rfc3339: time.description)
        // The year 9999 with a zone west of us is the year 10000 here, and a year before 0 has a sign.
        let isFourDigits = (-62_167_219_200_000_000..<253_402_300_800_000_000).contains(time.microseconds)
        let whole = time.microseconds - ((time.microseconds % 1000) + 1000) % 1000
        expect(!isFourDigits || again?.microseconds == whole, "a time comes back")
    }
    if let id = WorkflowModel.Identifier(text) {
        expect(id.description == text.lowercased(), "an id comes back")
        expect(WorkflowModel.Identifier(bytes: id.bytes) == id, "an id is its bytes")
    }
    if let decoded = Base64URL.decode(text) {
        expect(Base64URL.encode(decoded).utf8.count == text.utf8.count, "a text has the length of its bytes")
    }
    expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes, "bytes come back")
    verify(text, bytes)
    let name = EventName.canonical(text)
    expect(EventName.canonical(name) == name, "a canonical name is canonical")
    return 0
}

private func verify(_ text: String, _ bytes: [UInt8]) {
    let signer = TokenSigner(key: Array(repeating: 7, count: 32), cryptography: PlainSums())
    if let id = signer.verify(text, kind: .open) {
        expect(signer.token(.open, for: id) == text, "only the token itself is taken")
    }
    guard let id = WorkflowModel.Identifier(bytes: bytes.prefix(16)) else { return }
    expect(signer.verify(signer.token(.open, for: id), kind: .open) == id, "a token is taken")
    expect(signer.verify(signer.token(.open, for: id), kind: .delivery) == nil, "of its kind only")
}

/// No cryptography: a fuzzer shall be able to find a valid token.
private struct PlainSums: Cryptography {
    func digest(_ bytes: [UInt8]) -> [UInt8] { authenticationCode(of: bytes, key: []) }
    func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] { Array(repeating: 1, count: 32) }
    func randomBytes(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
}
