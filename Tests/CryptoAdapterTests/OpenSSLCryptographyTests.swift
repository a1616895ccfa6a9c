import CryptoAdapter
import Testing

@Suite struct OpenSSLCryptographyTests {
    /// HMAC-SHA-256 as RFC 4231 section 4 has it: keys shorter and longer than a block.
    struct Case: Sendable, CustomTestStringConvertible {
        var key: [UInt8]
        var bytes: [UInt8]
        var code: String
        var testDescription: String { "key of \(key.count), text of \(bytes.count) bytes" }
    }

    static let cases = [
        Case(
            key: .init(repeating: 0x0B, count: 20), bytes: Array("Hi There".utf8),
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        Case(
            key: Array("Jefe".utf8), bytes: Array("what do ya want for nothing?".utf8),
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        Case(
            key: .init(repeating: 0xAA, count: 20), bytes: .init(repeating: 0xDD, count: 50),
            code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        Case(
            key: Array(1...25), bytes: .init(repeating: 0xCD, count: 50),
            code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        Case(
            key: .init(repeating: 0xAA, count: 131),
            bytes: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        Case(
            key: .init(repeating: 0xAA, count: 131),
            bytes: Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
                    + "hashed before being used by the HMAC algorithm.").utf8),
            code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        // Nothing at all, as any other implementation has it.
        Case(key: [], bytes: [], code: "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ]

    @Test(arguments: cases)
    func authenticationCodeIsHMAC(example: Case) {
        let code = OpenSSLCryptography().authenticationCode(of: example.bytes, key: example.key)
        #expect(Self.hex(code) == example.code)
    }

    /// FIPS 180-2, appendix B.
    @Test func digestIsSHA256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(Self.hex(OpenSSLCryptography().digest(Array("abc".utf8))) == expected)
        let inPieces = OpenSSLCryptography().digest { sink in
            for byte in "abc".utf8 { [byte].withUnsafeBytes(sink) }
        }
        #expect(Self.hex(inPieces) == expected)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
