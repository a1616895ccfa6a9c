/// Hashes, keyed hashes and random bytes.
package protocol Cryptography: Sendable {
    /// SHA-256 (FIPS 180-4): 32 bytes.
    func digest(_ bytes: [UInt8]) -> [UInt8]

    /// SHA-256 of the pieces that `feed` hands over, one after the other.
    func digest(feeding feed: ((UnsafeRawBufferPointer) -> Void) -> Void) -> [UInt8]

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
