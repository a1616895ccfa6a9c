import Engine
import HTTPTypes

/// Every route there is. The raw value is its path as the API's description writes it.
package enum Endpoint: String, CaseIterable, Sendable {
    case health = "/healthz"
    case description = "/openapi.json"
    case pixel = "/o/{token}.gif"
    case unsubscribe = "/u/{token}"
    case preferences = "/m/{token}"
    case click = "/c/{token}"
    case track = "/v1/track"
    case trackBatch = "/v1/track/batch"
    case timeline = "/contacts/{contactId}/timeline"
    case events = "/events"
    case eventTrack = "/events/track"
    case eventStats = "/events/stats"
    case eventNames = "/events/names"
    case contactEvents = "/events/contact/{contactId}"
    case eventUsage = "/events/{eventName}/usage"
    case event = "/events/{eventName}"
    case receivedFile = "/events/{eventId}/attachments/{number}"
    case inboundOutcomes = "/inbound/outcomes"
    case suppressions = "/suppressions"
    case inboundReports = "/inbound/reports"
    case contacts = "/contacts"
    // Literal segments stand before parameters: the first match counts.
    case contactQuery = "/contacts/query"
    case contactLookup = "/contacts/lookup"
    case contactBulk = "/contacts/bulk"
    case contactImport = "/contacts/import"
    case contactExport = "/contacts/export"
    case contactJobs = "/contacts/jobs"
    case contactJob = "/contacts/jobs/{jobId}"
    case contactJobErrors = "/contacts/jobs/{jobId}/errors.csv"
    case contact = "/contacts/{contactId}"
    case send = "/v1/send"
    case verify = "/v1/verify"
    case mail = "/v1/emails/{emailId}"
    case audit = "/audit"
    case outbox = "/outbox"
    case readers = "/tracking"
    case outboxPause = "/outbox/pause"
    case outboxResume = "/outbox/resume"
    case workflows = "/workflows"
    case workflowFields = "/workflows/fields"
    case bulkUpdate = "/workflows/bulk-update"
    case workflow = "/workflows/{workflowId}"
    case duplicate = "/workflows/{workflowId}/duplicate"
    case steps = "/workflows/{workflowId}/steps"
    case step = "/workflows/{workflowId}/steps/{stepId}"
    case transitions = "/workflows/{workflowId}/transitions"
    case transition = "/workflows/{workflowId}/transitions/{transitionId}"
    case insertStep = "/workflows/{workflowId}/transitions/{transitionId}/insert-step"
    case executions = "/workflows/{workflowId}/executions"
    case cancelAll = "/workflows/{workflowId}/executions/cancel-all"
    case execution = "/workflows/{workflowId}/executions/{executionId}"
    case retry = "/workflows/{workflowId}/executions/{executionId}/retry"
    case stats = "/workflows/{workflowId}/stats"
    case simulate = "/workflows/{workflowId}/simulate"
    case templates = "/templates"
    case templateBulkDelete = "/templates/bulk-delete"
    case templatePreviewUnsaved = "/templates/preview"
    case template = "/templates/{templateId}"
    case templateDuplicate = "/templates/{templateId}/duplicate"
    case templateUsage = "/templates/{templateId}/usage"
    case templateVersions = "/templates/{templateId}/versions"
    case templateVersion = "/templates/{templateId}/versions/{number}"
    case templateRestore = "/templates/{templateId}/versions/{number}/restore"
    case templatePreview = "/templates/{templateId}/preview"
    case templateTest = "/templates/{templateId}/test"
    case segments = "/segments"
    case segmentPreview = "/segments/preview"
    case segment = "/segments/{segmentId}"
    case segmentContacts = "/segments/{segmentId}/contacts"
    case segmentMembers = "/segments/{segmentId}/members"
    case segmentCompute = "/segments/{segmentId}/compute"
    case segmentRefresh = "/segments/{segmentId}/refresh"
    case broadcasts = "/broadcasts"
    case broadcast = "/broadcasts/{broadcastId}"
    case broadcastSchedule = "/broadcasts/{broadcastId}/schedule"
    case broadcastSend = "/broadcasts/{broadcastId}/send"
    case broadcastPause = "/broadcasts/{broadcastId}/pause"
    case broadcastResume = "/broadcasts/{broadcastId}/resume"
    case broadcastCancel = "/broadcasts/{broadcastId}/cancel"
    case broadcastWinner = "/broadcasts/{broadcastId}/winner"
    case broadcastDuplicate = "/broadcasts/{broadcastId}/duplicate"
    case broadcastStats = "/broadcasts/{broadcastId}/stats"
    case broadcastEstimate = "/broadcasts/{broadcastId}/estimate"
    case broadcastTest = "/broadcasts/{broadcastId}/test"
    case migrate = "/workflows/{workflowId}/migrate"
    case webhooks = "/webhooks"
    case webhook = "/webhooks/{webhookId}"
    case rotateWebhookSecret = "/webhooks/{webhookId}/rotate-secret"
    case testWebhook = "/webhooks/{webhookId}/test"
    case resumeWebhook = "/webhooks/{webhookId}/resume"
    case replayWebhook = "/webhooks/{webhookId}/replay"
    case deliveries = "/webhooks/{webhookId}/deliveries"
    case retryDelivery = "/webhooks/{webhookId}/deliveries/{deliveryId}/retry"

    /// The methods it has; any other is answered with 405 and this list (RFC 9110 section 15.5.6).
    package var methods: [HTTPRequest.Method] {
        switch self {
        case .health, .description, .pixel, .click, .workflowFields, .stats, .timeline, .events, .eventStats,
            .eventNames,
            .contactEvents, .eventUsage, .contactJobs, .audit, .mail, .inboundReports, .outbox, .inboundOutcomes,
            .readers:
            [.get, .head]
        // A file is made while it is sent, and nothing is known of it before.
        case .contactExport, .contactJobErrors, .receivedFile: [.get]
        case .event: [.delete]
        case .track, .trackBatch: [.post, .options]
        case .send, .verify, .eventTrack, .contactQuery, .contactLookup, .contactBulk, .contactImport, .bulkUpdate,
            .duplicate, .steps, .transitions, .insertStep, .cancelAll, .retry, .simulate:
            [.post]
        case .workflows, .executions, .contacts: [.get, .head, .post]
        case .workflow, .contact: [.get, .head, .patch, .delete]
        case .webhooks: [.get, .head, .post]
        case .webhook: [.get, .head, .patch, .delete]
        case .deliveries: [.get, .head]
        case .migrate, .rotateWebhookSecret, .testWebhook, .resumeWebhook, .replayWebhook, .retryDelivery: [.post]
        case .unsubscribe, .preferences: [.get, .head, .post]
        case .suppressions: [.get, .head, .post, .delete]
        case .outboxPause, .outboxResume: [.post]
        case .step: [.patch, .delete]
        case .transition: [.delete]
        case .execution, .contactJob: [.get, .head, .delete]
        case .templates: [.get, .head, .post]
        case .template: [.get, .head, .patch, .delete]
        case .templateUsage, .templateVersions, .templateVersion: [.get, .head]
        case .templateBulkDelete, .templatePreviewUnsaved, .templateDuplicate, .templateRestore, .templatePreview,
            .templateTest:
            [.post]
        case .segments: [.get, .head, .post]
        case .segment: [.get, .head, .patch, .delete]
        case .segmentContacts: [.get, .head]
        case .segmentMembers: [.post, .delete]
        case .segmentPreview, .segmentCompute, .segmentRefresh: [.post]
        case .broadcasts: [.get, .head, .post]
        case .broadcast: [.get, .head, .patch, .delete]
        case .broadcastSchedule: [.post, .delete]
        case .broadcastStats, .broadcastEstimate: [.get, .head]
        case .broadcastSend, .broadcastPause, .broadcastResume, .broadcastCancel, .broadcastWinner,
            .broadcastDuplicate, .broadcastTest:
            [.post]
        }
    }

    /// What a key must be allowed for this; nil where no key is asked for.
    func scope(for method: HTTPRequest.Method) -> KeyScope? {
        subject.map { KeyScope($0, isReading(method) ? .read : .write) }
    }

    /// Everything a key must be allowed for this; empty where no key is asked for.
    func scopes(for method: HTTPRequest.Method) -> [KeyScope] {
        guard let scope = scope(for: method) else { return [] }
        switch self {
        // A test is a mail to whoever is named.
        case .templateTest, .broadcastTest: return [scope, KeyScope(.send, .write)]
        // What is answered is contacts, or about them.
        case .segmentContacts, .segmentPreview, .simulate: return [scope, KeyScope(.contacts, .read)]
        default: return [scope]
        }
    }

    /// Whether anything is different afterwards.
    func isWriting(_ method: HTTPRequest.Method) -> Bool { scope(for: method)?.access == .write }

    private var subject: KeyScope.Subject? {
        switch self {
        case .health, .description, .pixel, .click, .unsubscribe, .preferences: nil
        case .track, .trackBatch: .track
        case .contacts, .contactQuery, .contactLookup, .contactBulk, .contactImport, .contactExport, .contactJobs,
            .contactJob, .contactJobErrors, .contact, .timeline:
            .contacts
        case .events, .eventTrack, .eventStats, .eventNames, .contactEvents, .eventUsage, .event, .inboundOutcomes,
            .receivedFile, .readers:
            .events
        case .send, .verify, .mail, .outbox, .outboxPause, .outboxResume: .send
        case .audit: .audit
        case .suppressions, .inboundReports: .suppressions
        case .workflows, .workflowFields, .bulkUpdate, .workflow, .duplicate, .steps, .step, .transitions, .transition,
            .insertStep, .executions, .cancelAll, .execution, .retry, .stats, .simulate, .migrate:
            .workflows
        case .templates, .templateBulkDelete, .templatePreviewUnsaved, .template, .templateDuplicate, .templateUsage,
            .templateVersions, .templateVersion, .templateRestore, .templatePreview, .templateTest:
            .templates
        case .segments, .segmentPreview, .segment, .segmentContacts, .segmentMembers, .segmentCompute, .segmentRefresh:
            .segments
        case .broadcasts, .broadcast, .broadcastSchedule, .broadcastSend, .broadcastPause, .broadcastResume,
            .broadcastCancel, .broadcastWinner, .broadcastDuplicate, .broadcastStats, .broadcastEstimate,
            .broadcastTest:
            .broadcasts
        case .webhooks, .webhook, .rotateWebhookSecret, .testWebhook, .resumeWebhook, .replayWebhook, .deliveries,
            .retryDelivery:
            .webhooks
        }
    }

    /// POST asks for a body, not always for a change.
    private func isReading(_ method: HTTPRequest.Method) -> Bool {
        switch self {
        case .simulate, .verify, .templatePreview, .templatePreviewUnsaved, .contactQuery, .contactLookup,
            .segmentPreview:
            true
        default: method == .get || method == .head
        }
    }

    /// The route of a path and the values of its parameters in order; nil for an unknown path.
    ///
    /// Literal segments are compared as they are sent: nothing in them needs percent-encoding, and a trailing slash is
    /// another path. Parameters are decoded, and what cannot be decoded is at no path; but a pixel is one whatever it says.
    static func match(_ path: String) -> (endpoint: Endpoint, parameters: [String])? {
        if let endpoint = literals[path] { return (endpoint, []) }
        return search(path)
    }

    /// Paths without parameters, which need not be taken apart.
    private static let literals: [String: Endpoint] = {
        let found = allCases.filter { search($0.rawValue).map { $0.endpoint } == $0 && !$0.rawValue.contains("{") }
        return Dictionary(uniqueKeysWithValues: found.map { ($0.rawValue, $0) })
    }()

    private static func search(_ path: String) -> (endpoint: Endpoint, parameters: [String])? {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        for (endpoint, pattern) in patterns[Shape(of: segments)] ?? [] {
            if let parameters = pattern.match(segments, isDecoding: endpoint != .pixel) {
                return (endpoint, parameters)
            }
        }
        return nil
    }

    /// In the order of the cases.
    private static let patterns = Dictionary(grouping: allCases.map { ($0, Pattern($0.rawValue)) }) { endpoint, _ in
        Shape(of: endpoint.rawValue.split(separator: "/", omittingEmptySubsequences: false))
    }

    /// What paths of one template have in common: no template begins with a parameter.
    private struct Shape: Hashable {
        let count: Int
        let first: Substring

        /// - Parameter segments: the first is what stands in front of the first slash.
        init(of segments: [Substring]) {
            count = segments.count
            first = segments.dropFirst().first ?? ""
        }
    }

    /// A path template cut into its segments.
    private struct Pattern: Sendable {
        private enum Segment: Sendable {
            case literal(Substring)
            /// A parameter and what follows it in the same segment.
            case parameter(suffix: Substring)
        }

        private let segments: [Segment]

        init(_ template: String) {
            segments = template.split(separator: "/", omittingEmptySubsequences: false).map { segment in
                guard segment.first == "{", let end = segment.firstIndex(of: "}") else { return .literal(segment) }
                return .parameter(suffix: segment[segment.index(after: end)...])
            }
        }

        func match(_ path: [Substring], isDecoding: Bool) -> [String]? {
            guard path.count == segments.count else { return nil }
            var parameters: [String] = []
            for (segment, part) in zip(segments, path) {
                switch segment {
                case .literal(let text):
                    guard part == text else { return nil }
                case .parameter(let suffix):
                    guard part.hasSuffix(suffix), part.utf8.count > suffix.utf8.count else { return nil }
                    let text = part.dropLast(suffix.count)
                    guard let value = isDecoding ? PercentEncoding.decoded(text) : String(text) else { return nil }
                    parameters.append(value)
                }
            }
            return parameters
        }
    }
}
