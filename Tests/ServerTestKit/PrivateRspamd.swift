import Foundation
import Glibc
import Synchronization

/// A real rspamd of our own: one proxy worker that speaks the milter protocol and scans by itself, without Redis, without
/// network, without Debian's rule set.
///
/// Its verdict is the test's to choose: a mail with the header field `X-Kit-Score: 7.5` gets that score through a symbol
/// named `KIT_SCORE`, so a spam mail carries the complete set of headers. GTUBE patterns work too
/// (``gtubeAddHeader``), but short-cut the scan: only `X-Spam: Yes` is added then.
package final class PrivateRspamd: Sendable, CustomStringConvertible {
    /// The GTUBE pattern whose action is "add header": the mail passes, marked `X-Spam: Yes`.
    package static let gtubeAddHeader = "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    /// The GTUBE pattern whose action is "reject": answered 554 whatever the thresholds are.
    package static let gtubeReject = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    /// The header field that sets the score.
    package static let scoreField = "X-Kit-Score"
    /// The header field that sets the action, in rspamd's words: `soft reject` (451), `reject` (554), `discard`,
    /// `quarantine`. It ends the scan early, as GTUBE does.
    package static let actionField = "X-Kit-Action"

    /// What the scanner is told to be.
    package struct Configuration: Sendable {
        /// The score from which a mail is marked as spam and passes ("add header").
        package var addHeader = 6.0
        /// The score from which a mail is refused with 554; nil for never.
        package var reject: Double?
        /// The header routines in use beside the extended ones (`use` of the milter_headers module).
        package var routines = ["x-spam-status", "authentication-results"]
        /// DNS records that exist, in rspamd's words; any other question fails at once. With records here, SPF, DKIM
        /// and DMARC are checked.
        package var records: [Record] = []
        /// Further lines for rspamd.conf, in UCL.
        package var text = ""

        /// Marks mail from a score of 6, refuses none.
        package init() {}
    }

    /// One DNS record for the scanner.
    package struct Record: Sendable {
        /// `a`, `txt`, `mx`, `ptr`.
        package var type: String
        /// The name asked for.
        package var name: String
        /// The answers.
        package var replies: [String]

        /// Makes a record.
        package init(_ type: String, _ name: String, _ replies: [String]) {
            self.type = type
            self.name = name
            self.replies = replies
        }
    }

    /// Always 127.0.0.1.
    package let address = "127.0.0.1"
    /// The port that speaks milter.
    package let port: UInt16
    /// For `smtpd_milters` (``PostfixConfiguration/milters``).
    package var milter: String { "inet:\(address):\(port)" }
    /// rspamd's log.
    package let logPath: String
    private let process: SpawnedProcess

    private init(port: UInt16, logPath: String, process: SpawnedProcess) {
        self.port = port
        self.logPath = logPath
        self.process = process
    }

    deinit { process.signalGroup(SIGKILL) }

    package var description: String { "rspamd on \(address):\(port)" }

    /// Starts a scanner in `directory`, which must outlive it.
    ///
    /// - Parameters:
    ///   - name: the name of its folder.
    ///   - port: a port of the caller's choice, or nil for a free one.
    /// - Throws: ``FixtureError`` `unavailable` without rspamd, `notStarted` with the log.
    package static func start(
        in directory: ServerDirectory, name: String = "rspamd", port fixed: UInt16? = nil,
        _ configuration: Configuration = Configuration()
    ) async throws -> PrivateRspamd {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/rspamd") else {
            throw FixtureError(.unavailable, "/usr/bin/rspamd is missing: apt-get install rspamd")
        }
        // As root its workers must run as somebody else; as a user, as that user.
        let user = Privilege.isRoot ? "_rspamd" : nil
        let home = try await directory.directory(name, owner: user)
        for folder in ["db", "log", "local"] { try await directory.directory("\(name)/\(folder)", owner: user) }
        try directory.write("\(name)/rules.lua", rules)
        // The complete list of public suffixes takes seconds to compile.
        try directory.write("\(name)/suffixes.dat", "com\nnet\norg\nexample\ntest\n")
        let log = "\(home)/log/rspamd.log"
        for _ in 0..<5 {
            let port = try fixed ?? freePort()
            try directory.write("\(name)/rspamd.conf", configuration.file(home: home, port: port))
            let words =
                ["/usr/bin/rspamd", "-f", "-c", "\(home)/rspamd.conf"] + (user.map { ["-u", $0, "-g", $0] } ?? [])
                + [("DBDIR", "db"), ("RUNDIR", "db"), ("LOGDIR", "log"), ("LOCAL_CONFDIR", "local")]
                .flatMap { ["--var", "\($0.0)=\(home)/\($0.1)"] }
            let process = try SpawnedProcess(words, output: .file("\(home)/output"), errors: .file("\(home)/output"))
            if try await ServerProbe.listens(process, port: port) {
                return PrivateRspamd(port: port, logPath: log, process: process)
            }
            if fixed != nil { break }
        }
        let text = ["\(home)/output", log].compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }
        throw FixtureError(.notStarted, "rspamd: \(text.joined())")
    }

    /// The lines of its log.
    package func logLines() -> [String] {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// Whether any of its processes lives.
    package var isRunning: Bool { !ProcessTable.members(ofGroup: process.processID).isEmpty }

    /// Ends it.
    ///
    /// - Throws: ``FixtureError`` `timedOut`.
    package func stop() async throws {
        // SIGTERM would wait for connections of Postfix that stay open for reuse.
        process.signalGroup(SIGKILL)
        try await eventually("rspamd ends", deadline: .seconds(5)) { !isRunning }
    }

    /// The two symbols of ours. `config.regexp` must exist, or the C module of that name complains.
    private static let rules = """
        config['regexp'] = {}
        rspamd_config:register_symbol({
          name = 'KIT_SCORE', type = 'normal', score = 1.0, group = 'kit',
          callback = function(task)
            local score = tonumber(task:get_header('\(scoreField)') or '')
            if score then return true, score, tostring(score) end
            return false
          end
        })
        rspamd_config:register_symbol({
          name = 'KIT_ACTION', type = 'prefilter',
          callback = function(task)
            local action = task:get_header('\(actionField)')
            if action then task:set_pre_result(action, 'as told') end
          end
        })

        """
}

extension PrivateRspamd.Configuration {
    /// The text of rspamd.conf.
    ///
    /// Debian's own file is not included: with all of its modules the start takes seconds, and a second `dns` section
    /// does not replace the included one, so questions would still go to the machine's resolver.
    func file(home: String, port: UInt16) -> String {
        func threshold(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
        let modules = ["milter_headers"] + (records.isEmpty ? [] : ["spf", "dmarc"])
        let paths = modules.map { "    path = \"${PLUGINSDIR}/\($0).lua\";\n" }.joined()
        // A module without a section of its own stays off.
        let sections = records.isEmpty ? "" : "dkim { dkim_cache_size = 1; } spf { disable_ipv6 = true; } dmarc { }"
        return """
            lua = "\(home)/rules.lua";
            options {
                filters = "\(records.isEmpty ? "" : "dkim")";
                local_addrs = [];
                check_local = true;
                check_authed = true;
                enable_test_patterns = true;
                allow_raw_input = true;
                url_tld = "\(home)/suffixes.dat";
                hs_cache_dir = "\(home)/db/";
                tempdir = "\(home)/db";
                control_socket = "\(home)/db/control.sock mode=0600";
                explicit_modules = ["settings"];
                task_timeout = 5s;
                dns {
                    nameserver = ["127.0.0.1:9"];
                    timeout = 0.1s;
                    retransmits = 1;
                    sockets = 1;
                    fake_records = [\(records.map(\.text).joined(separator: ", "))];
                }
            }
            logging { type = "file"; filename = "\(home)/log/rspamd.log"; level = "info"; }
            actions {
                reject = \(threshold(reject));
                add_header = \(addHeader);
                greylist = null;
            }
            modules {
            \(paths)}
            worker "rspamd_proxy" {
                bind_socket = "127.0.0.1:\(port)";
                milter = yes;
                timeout = 10s;
                count = 1;
                max_retries = 1;
                spam_header = "X-Spam";
                upstream "local" { default = yes; self_scan = yes; }
            }
            milter_headers {
                extended_spam_headers = true;
                skip_local = false;
                skip_authenticated = false;
                use = [\(routines.map { "\"\($0)\"" }.joined(separator: ", "))];
            }
            \(sections)
            \(text)

            """
    }
}

extension PrivateRspamd.Record {
    fileprivate var text: String {
        func quoted(_ value: String) -> String {
            "\"" + value.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
                + "\""
        }
        let answers = replies.map(quoted).joined(separator: ", ")
        return "{ name = \(quoted(name)); type = \(quoted(type)); replies = [\(answers)]; }"
    }
}
