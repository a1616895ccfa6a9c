import Glibc

extension SMTPConfiguration {
    /// Throws the first thing that is wrong. Everything that reaches libcurl's URL or the wire is limited to harmless
    /// characters here, because libcurl itself does not object.
    func validate() throws(SMTPConfigurationError) {
        try validateAddresses()
        try validateLimits()
        try validateSecurity()
    }

    private func validateAddresses() throws(SMTPConfigurationError) {
        guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy(isHostByte) else {
            throw error(
                .invalidHost, "The relay must be a host name or an address; names in other scripts as xn-- labels.")
        }
        guard (1...65535).contains(port) else {
            throw error(.invalidPort, "The relay's port must be from 1 to 65535.")
        }
        let name = ehloName.hasPrefix("[") && ehloName.hasSuffix("]") ? ehloName.dropFirst().dropLast() : ehloName[...]
        guard !name.isEmpty, ehloName.utf8.count <= 255, name.utf8.allSatisfy(isHostByte) else {
            throw error(.invalidEHLOName, "The EHLO name must be a host name or an address literal like [192.0.2.1].")
        }
    }

    private func validateLimits() throws(SMTPConfigurationError) {
        guard (1...20).contains(workers) else {
            throw error(.invalidWorkers, "The number of SMTP workers must be from 1 to 20.")
        }
        let day = Duration.seconds(86_400)
        for timeout in [connectTimeout, replyTimeout, idleTimeout] where timeout <= .zero || timeout > day {
            throw error(.invalidTimeout, "SMTP timeouts must be more than zero and at most one day.")
        }
    }

    private func validateSecurity() throws(SMTPConfigurationError) {
        if let caFile, access(caFile, R_OK) != 0 {
            throw error(.unreadableCAFile, "The file with the certificate authorities cannot be read: \(caFile)")
        }
        guard let credentials else { return }
        let bytes = Array(credentials.username.utf8) + Array(credentials.password.utf8)
        // NUL separates the fields of SASL PLAIN (RFC 4616 section 2).
        guard !credentials.username.isEmpty, !bytes.contains(0) else {
            throw error(.invalidCredentials, "The SMTP login needs a user name, and neither part may hold NUL.")
        }
        guard isLoopback || tls == .required || tls == .implicit else {
            throw error(
                .credentialsInClear,
                "The SMTP login would travel in clear to \(relayName): require TLS, or use a relay on this machine.")
        }
    }

    private func error(_ code: SMTPConfigurationError.Code, _ description: String) -> SMTPConfigurationError {
        SMTPConfigurationError(code: code, description: description)
    }
}

/// Letters, digits, and what host names and IPv6 addresses hold besides.
private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x2D, 0x2E, 0x3A, 0x5F: true  // - . : _
    default: false
    }
}
