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

    package func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        var length: UInt32 = 0
        _ = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &output, &length)
        return output
    }

    package func randomBytes(_ count: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        // A system without a working random source must not hand out keys that can be guessed.
        precondition(RAND_bytes(&output, Int32(count)) == 1, "the system's random generator does not work")
        return output
    }
}
