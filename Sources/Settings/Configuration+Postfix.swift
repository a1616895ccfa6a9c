extension Configuration {
    /// The keys of `postfix`.
    package struct Postfix: Hashable, Sendable {
        package enum Log: Hashable, Sendable {
            case file(String)
            case journal
        }

        /// `postfix.log`. nil follows none.
        package let log: Log?
        /// `postfix.exactly_once`.
        package let isExactlyOnce: Bool
        /// `postfix.proof_wait`.
        package let proofWait: Duration
        /// `postfix.postqueue`. nil asks nobody.
        package let postqueue: String?
        /// `postfix.config_directory`. nil means Postfix's default.
        package let configurationDirectory: String?
    }
}

extension Configuration.Postfix {
    init(_ reading: inout Reading) {
        let text = reading.value(Schema.Postfix.log)
        log = text.isEmpty ? nil : text == "journal" ? .journal : .file(reading.path(Schema.Postfix.log))
        isExactlyOnce = reading.value(Schema.Postfix.exactlyOnce)
        proofWait = reading.value(Schema.Postfix.proofWait)
        let program = reading.path(Schema.Postfix.postqueue)
        postqueue = program.isEmpty ? nil : program
        let directory = reading.path(Schema.Postfix.configurationDirectory)
        configurationDirectory = directory.isEmpty ? nil : directory
    }
}
