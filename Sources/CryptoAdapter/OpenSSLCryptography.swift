import CLibcrypto
import Engine

/// Hashes and random bytes of OpenSSL's libcrypto.
package struct OpenSSLCryptography: Cryptography {
    package init() {}

    /// SHA-256 as OpenSSL has it, looked up once for as long as the program runs. It never changes, so threads share it.
    private struct Algorithm: @unchecked Sendable {
        let pointer = EVP_MD_fetch(nil, "SHA256", nil)
    }

    private static let sha256 = Algorithm()

    package func digest(_ bytes: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        // `SHA256` itself looks the algorithm up each time, which takes longer than a short text's digest. It fails without
        // memory alone, and a wrong hash would take one key for another.
        precondition(
            EVP_Digest(bytes, bytes.count, &output, nil, Self.sha256.pointer, nil) == 1, "libcrypto has no memory")
        return output
    }

    package func digest(feeding feed: ((UnsafeRawBufferPointer) -> Void) -> Void) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let state = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(state) }
        // They fail without memory alone, and a wrong hash would take one mail for another.
        precondition(EVP_DigestInit_ex(state, Self.sha256.pointer, nil) == 1, "libcrypto has no memory")
        feed { EVP_DigestUpdate(state, $0.baseAddress, $0.count) }
        precondition(EVP_DigestFinal_ex(state, &output, nil) == 1, "libcrypto has no memory")
        return output
    }

    package func makeDigest() -> any StreamedDigest { OpenSSLDigest() }

    /// HMAC (RFC 2104) out of two digests: OpenSSL's own looks its parts up by name each time, which takes longer than both.
    package func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        let key = key.count > Self.blockSize ? digest(key) : key
        let state = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(state) }
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        func hash(_ pad: UInt8, _ content: UnsafeRawBufferPointer, into output: UnsafeMutablePointer<UInt8>) {
            withUnsafeTemporaryAllocation(byteCount: Self.blockSize, alignment: 1) { block in
                for index in 0..<Self.blockSize { block[index] = (index < key.count ? key[index] : 0) ^ pad }
                // They fail without memory alone, and a wrong code would let somebody else's token pass for ours.
                precondition(
                    EVP_DigestInit_ex(state, Self.sha256.pointer, nil) == 1
                        && EVP_DigestUpdate(state, block.baseAddress, block.count) == 1
                        && EVP_DigestUpdate(state, content.baseAddress, content.count) == 1
                        && EVP_DigestFinal_ex(state, output, nil) == 1, "libcrypto has no memory")
                _ = block.initializeMemory(as: UInt8.self, repeating: 0)
            }
        }
        output.withUnsafeMutableBufferPointer { output in
            guard let start = output.baseAddress else { return }
            bytes.withUnsafeBytes { hash(0x36, $0, into: start) }
            hash(0x5C, UnsafeRawBufferPointer(start: start, count: output.count), into: start)
        }
        return output
    }

    /// Bytes that SHA-256 takes at once.
    private static let blockSize = 64

    package func randomBytes(_ count: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        // A system without a working random source must not hand out keys that can be guessed.
        precondition(RAND_bytes(&output, Int32(count)) == 1, "the system's random generator does not work")
        return output
    }
}
