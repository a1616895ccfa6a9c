/// Hashes, keyed hashes and random bytes.
package protocol Cryptography: Sendable {
    /// SHA-256 (FIPS 180-4): 32 bytes.
    func digest(_ bytes: [UInt8]) -> [UInt8]

    /// SHA-256 of the pieces that `feed` hands over, one after the other.
    func digest(feeding feed: ((UnsafeRawBufferPointer) -> Void) -> Void) -> [UInt8]

    /// The same of bytes that come little by little.
    func makeDigest() -> any StreamedDigest

    /// HMAC-SHA-256 (RFC 2104): 32 bytes.
    func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8]

    /// Bytes from the operating system's generator, fit for keys.
    func randomBytes(_ count: Int) -> [UInt8]
}

extension Cryptography {
    /// By way of one array with all of it.
    package func digest(feeding feed: ((UnsafeRawBufferPointer) -> Void) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        feed { bytes.append(contentsOf: $0) }
        return digest(bytes)
    }
}

/// SHA-256 of bytes that come little by little. For one task at a time.
package protocol StreamedDigest: AnyObject {
    func update(_ bytes: [UInt8])
    /// To be called once, at the end.
    func finish() -> [UInt8]
}

extension Cryptography {
    /// Holds all of them: for those who have no other.
    package func makeDigest() -> any StreamedDigest { HeldDigest(self) }
}

private final class HeldDigest: StreamedDigest {
    private let cryptography: any Cryptography
    private var bytes: [UInt8] = []

    init(_ cryptography: any Cryptography) { self.cryptography = cryptography }

    func update(_ bytes: [UInt8]) { self.bytes += bytes }
    func finish() -> [UInt8] { cryptography.digest(bytes) }
}
