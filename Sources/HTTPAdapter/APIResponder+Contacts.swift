import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import WorkflowModel

extension APIResponder {
    /// Contacts one by one, in lists, and in numbers that one request can do.
    func answerContacts(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let contacts = Contacts(context: context, projectID: try authorize(exchange).projectID)
        switch (endpoint, exchange.request.method) {
        case (.contacts, .post): return try await upsert(try ContactRequest(try await json(&exchange)), contacts)
        case (.contacts, _): return try await list(try ContactListRequest(exchange), contacts)
        case (.contactQuery, _): return try await list(try ContactListRequest(try await json(&exchange)), contacts)
        case (.contactLookup, _):
            let request = try LookupRequest(try await json(&exchange))
            return Self.response(json: try await contacts.lookUp(request.emails).json)
        case (.contactBulk, _): return try await change(try BulkContactRequest(try await json(&exchange)), contacts)
        case (_, .patch):
            let changes = try Contacts.Changes(try await json(&exchange))
            return Self.response(json: try await contacts.change(try contactID(exchange), changes).json)
        case (_, .delete):
            try await contacts.delete(try contactID(exchange))
            return Self.noContent
        default: return Self.response(json: try await contacts.contact(try contactID(exchange)).json)
        }
    }

    func contactID(_ exchange: Exchange) throws -> Identifier { try identifier(exchange, at: 0, of: "contact") }

    private func list(_ request: ContactListRequest, _ contacts: Contacts) async throws -> Response {
        let page = try await contacts.list(request.query, after: request.cursor, limit: request.limit)
        return Self.response(json: page.json)
    }

    private func upsert(_ request: ContactRequest, _ contacts: Contacts) async throws -> Response {
        let upserted = try await contacts.upsert(
            email: request.email, subscribed: request.subscribed, data: request.data)
        var fields = upserted.contact.json.objectValue ?? [:]
        fields["_meta"] = ["isNew": .bool(upserted.isNew), "isUpdate": .bool(!upserted.isNew)]
        return Self.response(upserted.isNew ? .created : .ok, json: .object(fields))
    }

    private func change(_ request: BulkContactRequest, _ contacts: Contacts) async throws -> Response {
        switch request.target {
        case .ids(let ids):
            let outcomes = try await contacts.change(ids, request.action)
            let results = zip(ids, outcomes).map { id, outcome -> JSON in
                ["id": .string("\(id)"), "status": .string(outcome.rawValue)]
            }
            let failed = outcomes.filter { $0 == .notFound || $0 == .tooLarge }.count
            return Self.response(json: [
                "results": .array(results), "succeeded": .int(Int64(outcomes.count - failed)),
                "failed": .int(Int64(failed)),
            ])
        case .query(let query):
            return Self.accepted(try await contacts.begin(request.action, on: query))
        }
    }

    // MARK: Jobs and files

    /// Work that goes on after the answer, and files.
    func answerContactJobs(_ exchange: inout Exchange, at endpoint: Endpoint) async throws -> Response {
        let project = try authorize(exchange).projectID
        let contacts = Contacts(context: context, projectID: project)
        switch (endpoint, exchange.request.method) {
        case (.contactImport, _):
            if let upload = exchange.takeUpload() { return Self.accepted(try await upload.begin(context)) }
            try await receiveFile(&exchange) { _ in }
            guard let upload = exchange.takeUpload() else { throw APIError.unexpected }
            return Self.accepted(try await upload.begin(context))
        case (.contactExport, _): return try export(exchange, of: project)
        case (.contactJobs, _):
            let jobs = try await contacts.jobs(limit: ContactListRequest.limitLimit)
            return Self.response(json: ["data": .array(jobs.map { .object($0.fields) })])
        case (.contactJobErrors, _):
            let id = try jobID(exchange)
            // A job that is not there is told before the answer has begun.
            _ = try await contacts.job(id)
            return Self.file("errors.csv", type: "text/csv; charset=utf-8; header=present") {
                try await contacts.report(of: id, to: $0)
            }
        case (_, .delete):
            _ = try await contacts.cancelJob(try jobID(exchange))
            return Self.noContent
        default: return Self.response(json: try await contacts.job(try jobID(exchange)).json)
        }
    }

    private func jobID(_ exchange: Exchange) throws -> Identifier { try identifier(exchange, at: 0, of: "job") }

    private static func accepted(_ job: ContactJob) -> Response {
        var response = response(.accepted, json: .object(job.fields))
        response.headers[.location] = "/contacts/jobs/\(job.id)"
        return response
    }

    /// Takes the file in and holds it in the exchange; whoever takes it from there begins its import or discards it.
    /// - Parameter note: sees the bytes.
    func receiveFile(_ exchange: inout Exchange, _ note: ([UInt8]) -> Void) async throws {
        let project = try authorize(exchange).projectID
        let options = try ImportPlan.Options(exchange)
        try exchange.checkCSV()
        var upload = try ContactUpload(context: context, projectID: project, options: options)
        do {
            try await exchange.readBody(upTo: configuration.importLimit, within: configuration.uploadTimeout) {
                note($0)
                try upload.append($0)
            }
        } catch {
            upload.discard()
            throw error
        }
        exchange.hold(upload)
    }

    private func export(_ exchange: Exchange, of project: Identifier) throws -> Response {
        var problems: [APIError.Problem] = []
        var format = ContactExport.Format.csv
        if let text = exchange.query("format"), !text.isEmpty {
            if let known = ContactExport.Format(rawValue: text) {
                format = known
            } else {
                problems.append(.init(field: "format", message: "must be csv or json"))
            }
        }
        var guardsFormulas = true
        switch exchange.query("formulas") ?? "" {
        case "", "guard": break
        case "keep": guardsFormulas = false
        default: problems.append(.init(field: "formulas", message: "must be guard or keep"))
        }
        if !problems.isEmpty { throw APIError.invalid(problems) }
        let export = ContactExport(
            context: context, projectID: project, format: format, guardsFormulas: guardsFormulas)
        let type = format == .csv ? "text/csv; charset=utf-8; header=present" : "application/json"
        return Self.file("contacts.\(format.rawValue)", type: type) { try await export.write(to: $0) }
    }

    /// An answer that is written piece by piece. When it cannot be ended, the connection is closed without its last
    /// chunk, by which the client knows.
    private static func file(
        _ name: String, type: String,
        _ body: @escaping @Sendable (_ sink: ([UInt8]) async throws -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: type, .contentDisposition: "attachment; filename=\"\(name)\"",
                .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody { writer in
                try await body { try await writer.write(ByteBuffer(bytes: $0)) }
                try await writer.finish(nil)
            })
    }
}
