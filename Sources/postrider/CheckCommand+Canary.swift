import SQLStore
import ScannerAdapter
import Settings

extension CheckCommand {
    /// - Returns: whether nothing that is believed can be forged.
    func runCanary(_ place: String, _ configuration: Configuration) throws -> Bool {
        guard let entrance = ScannerAddress(place) else { return false }
        let recipient = try recipient ?? CanaryCheck.recipient(configuration)
        let (client, sender) = (client, sender)
        return try runBlocking {
            let assembly = Assembly(configuration: configuration, logger: .quiet)
            let (store, context) = try await assembly.makeEngine(exclusively: false, makingDatabase: false)
            defer { try? store.close() }
            let check = CanaryCheck(
                entrance: entrance, client: client, recipient: recipient, sender: sender,
                configuration: configuration, context: context)
            return Self.report(try await check.run(), check, place)
        }
    }

    private static func report(_ outcome: CanaryCheck.Outcome, _ check: CanaryCheck, _ place: String) -> Bool {
        switch outcome {
        case .arrived(let survivors, let services, let client):
            if client != check.client {
                print("\(place): warning: the daemon took the client for \(client), so the test says little")
            }
            if survivors.isEmpty { print("\(place): ok: no verdict field of a stranger arrives") }
            var isGood = true
            for name in survivors {
                let believers = CanaryCheck.believers(of: name, in: check.configuration)
                let ids = name == "Authentication-Results" ? services.joined(separator: ", ") : ""
                let what = ids.isEmpty ? name : "\(name) (\(ids))"
                guard !believers.isEmpty else {
                    print("\(place): warning: \(what) of a stranger arrives; no source of ours believes it")
                    continue
                }
                isGood = false
                print(
                    "\(place): error: \(what) of a stranger arrives, and \(believers.joined(separator: ", ")) believes it "
                        + "(remove it with conf/postfix/header_checks)")
            }
            return isGood
        case .noXCLIENT(let reason):
            print("\(place): error: we cannot be a stranger there: \(reason)")
            print(
                "Allow it for a listener of its own (-o smtpd_authorized_xclient_hosts=127.0.0.1), or send from outside:"
            )
            print(check.swaksLine(server: place))
            print("and look at `verdictSources` of its email.received: a value `forged` must not be there.")
            return false
        case .refused(let reply):
            print("\(place): error: the canary was refused: \(reply)")
            return false
        case .lost:
            print(
                "\(place): error: the canary was taken and did not reach the daemon (is it running, is it a milter here?)"
            )
            return false
        }
    }
}
