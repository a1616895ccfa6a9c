import CLibcrypto
import Engine

/// SHA-256 piece by piece, by EVP_DigestUpdate (docs.openssl.org, EVP_DigestInit). Owns the context and frees it.
final class OpenSSLDigest: StreamedDigest {
    /// +1 by EVP_MD_CTX_new, -1 in `deinit`.
    private let context: OpaquePointer

    init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            // As with a system without memory for anything else.
            preconditionFailure("libcrypto has no SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: [UInt8]) { _ = EVP_DigestUpdate(context, bytes, bytes.count) }

    func finish() -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        _ = EVP_DigestFinal_ex(context, &output, nil)
        return output
    }
}
