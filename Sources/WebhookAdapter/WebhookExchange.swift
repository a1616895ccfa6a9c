import CLibcurl
import Engine
import Glibc
import WorkflowModel

/// One libcurl easy handle. Belongs to one thread.
///
/// The handle serves one attempt after the other and keeps nothing of a receiver between them, neither connection nor TLS
/// session nor address: only the authorities, which take long to read, stay. It is freed in `deinit`; the callbacks of an
/// attempt get its `ResponseReader`, which lives as long as the attempt.
final class WebhookExchange {
    private let configuration: WebhookTransportConfiguration
    private let stopSignal: StopSignal
    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>

    /// Seconds after which the authorities are read again.
    private static let authoritiesAge = 3600

    /// nil when libcurl has no memory for a handle.
    init?(configuration: WebhookTransportConfiguration, stopSignal: StopSignal) {
        guard let handle = curl_easy_init() else { return nil }
        self.configuration = configuration
        self.stopSignal = stopSignal
        self.handle = handle
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Makes the attempt. Blocks, at most for the configured time limit.
    func perform(_ webhook: SignedWebhook) -> WebhookOutcome {
        curl_easy_reset(handle)
        errorText.pointee = 0
        let reader = ResponseReader(
            url: webhook.url, stopSignal: stopSignal, objection: configuration.objection)
        var headers: UnsafeMutablePointer<curl_slist>?
        for line in Self.lines(webhook.headers) { headers = Self.append(line, to: headers) }
        var resolution: UnsafeMutablePointer<curl_slist>?
        for entry in configuration.resolution(webhook.url) { resolution = Self.append(entry, to: resolution) }
        defer {
            curl_slist_free_all(headers)
            curl_slist_free_all(resolution)
        }
        // libcurl keeps the pointer to the body; an array of none may have no address, and NULL means another thing.
        let body = webhook.body.map { $0.isEmpty ? [0] : $0 }
        let code = (body ?? [0]).withUnsafeBytes { bytes -> CURLcode in
            var options = OptionSetter(handle: handle)
            setConnection(webhook.url, &options)
            setLimits(&options)
            setRequest(webhook, body: bytes, headers: headers, &options)
            if resolution != nil { options.set(CURLOPT_RESOLVE, resolution) }
            reader.install(on: &options)
            if let failure = options.failure { return failure }
            return withExtendedLifetime(reader) { curl_easy_perform(handle) }
        }
        return outcome(code, reader)
    }

    /// libcurl takes `Name:` as the order to leave a field out, and `Name;` as one without value.
    private static func lines(_ headers: [WebhookRequest.Header]) -> [String] {
        let names = Set(headers.map { $0.name.lowercased() })
        let lines = headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        // Expect: 100-continue would cost a pause of a second at servers that do not know it, and a body without a type is
        // no form.
        return lines + ["Expect:"] + (names.contains("content-type") ? [] : ["Content-Type:"])
    }

    private static func append(
        _ text: String, to list: UnsafeMutablePointer<curl_slist>?
    ) -> UnsafeMutablePointer<curl_slist>? {
        curl_slist_append(list, text) ?? list
    }

    private func setConnection(_ url: WebhookURL, _ options: inout OptionSetter) {
        options.set(CURLOPT_URL, url.description)
        options.set(CURLOPT_PROTOCOLS_STR, url.scheme.rawValue)
        options.set(CURLOPT_FOLLOWLOCATION, 0)
        // Or a proxy of the environment would connect in our place, out of the guard's sight.
        options.set(CURLOPT_PROXY, "")
        options.set(CURLOPT_NOPROXY, "*")
        options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        options.set(CURLOPT_FRESH_CONNECT, 1)
        options.set(CURLOPT_FORBID_REUSE, 1)
        options.set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
        options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        options.set(CURLOPT_SSL_VERIFYPEER, 1)
        options.set(CURLOPT_SSL_VERIFYHOST, 2)
        options.set(CURLOPT_SSL_SESSIONID_CACHE, 0)
        if let caFile = configuration.caFile { options.set(CURLOPT_CAINFO, caFile) }
        // libcurl believes the system's directory beside any file, and reads the authorities anew each time because of it.
        options.clear(CURLOPT_CAPATH)
        options.set(CURLOPT_CA_CACHE_TIMEOUT, Self.authoritiesAge)
    }

    private func setLimits(_ options: inout OptionSetter) {
        let parts = configuration.timeout.components
        let milliseconds = max(1, Int(parts.seconds) * 1000 + Int(parts.attoseconds / 1_000_000_000_000_000))
        options.set(CURLOPT_NOSIGNAL, 1)
        options.set(CURLOPT_TIMEOUT_MS, milliseconds)
        options.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
        // Without it the end of an attempt waits for the thread that looks its name up, as long as a name server likes.
        options.set(CURLOPT_QUICK_EXIT, 1)
        options.set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
    }

    private func setRequest(
        _ webhook: SignedWebhook, body: UnsafeRawBufferPointer, headers: UnsafeMutablePointer<curl_slist>?,
        _ options: inout OptionSetter
    ) {
        if let bytes = webhook.body, let start = body.baseAddress {
            options.set(CURLOPT_POST, 1)
            options.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: bytes.count)
            options.set(CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: start))
        } else {
            options.set(CURLOPT_HTTPGET, 1)
        }
        options.set(CURLOPT_CUSTOMREQUEST, webhook.method)
        options.set(CURLOPT_HTTPHEADER, headers)
    }

    // MARK: Outcome

    private func outcome(_ code: CURLcode, _ reader: ResponseReader) -> WebhookOutcome {
        if let response = reader.response, code == CURLE_OK || reader.isEnough { return .answered(response) }
        if let refusal = reader.refusal { return .failed(reason: refusal, isTemporary: false) }
        if reader.isStopped { return .failed(reason: "the attempt was stopped", isTemporary: true) }
        if reader.areHeadersEndless {
            return .failed(reason: "the receiver sent header fields without end", isTemporary: true)
        }
        let said = String(cString: errorText)
        let detail = said.isEmpty ? String(cString: curl_easy_strerror(code)) : said
        return .failed(reason: Self.reason(code, detail: detail), isTemporary: Self.isTemporary(code))
    }

    private static func reason(_ code: CURLcode, detail: String) -> String {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: "the host name does not resolve (\(detail))"
        case CURLE_COULDNT_CONNECT: "no connection (\(detail))"
        case CURLE_OPERATION_TIMEDOUT: "no answer in time (\(detail))"
        case CURLE_PEER_FAILED_VERIFICATION: "the receiver's certificate does not verify (\(detail))"
        case CURLE_SSL_CACERT_BADFILE: "the file with the certificate authorities cannot be used (\(detail))"
        case CURLE_UNSUPPORTED_PROTOCOL: "the receiver does not speak HTTP (\(detail))"
        case CURLE_SSL_CONNECT_ERROR: "TLS could not be started (\(detail))"
        default: "the connection failed (\(detail), curl \(code.rawValue))"
        }
    }

    /// Whether another attempt could end otherwise. A certificate does not mend itself within the minutes of our
    /// attempts, and a receiver that is not who it should be must not hear of us five times.
    private static func isTemporary(_ code: CURLcode) -> Bool {
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_URL_MALFORMAT,
            CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION:
            false
        default: true
        }
    }
}
