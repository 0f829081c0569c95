/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The rival of the agents' listener: Session of proto/agent.proto on gRPC
 * C++'s callback API.  It answers hello, takes heartbeats, and acknowledges
 * events at once without storing anything.
 *
 *     grpc_server CERT.pem KEY.pem [plain]
 *
 * Listens on free ports of loopback and prints "tls PORT", and with plain
 * also "plain PORT" for a proxy in front.  Ends at SIGTERM or SIGINT.
 */
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>

#include <grpcpp/grpcpp.h>

#include "agent.grpc.pb.h"

namespace rm = resticmanager::v1;

namespace {

/* One open stream.  At most one write is under way, as gRPC demands; acks
 * that come meanwhile are one ack of the highest number. */
class Session final
	: public grpc::ServerBidiReactor<rm::AgentMessage, rm::ControllerMessage> {
public:
	Session() { StartRead(&in_); }

	void
	OnReadDone(bool ok) override
	{
		if (!ok) {
			Finish(grpc::Status::OK);
			return;
		}
		if (in_.has_hello())
			answer_hello();
		else if (in_.has_event())
			ack(in_.event().seq());
		StartRead(&in_);
	}

	void
	OnWriteDone(bool ok) override
	{
		const std::lock_guard<std::mutex> hold(lock_);

		writing_ = false;
		if (ok && acked_ > sent_)
			write_ack();
	}

	void
	OnDone() override
	{
		delete this;
	}

private:
	void
	answer_hello()
	{
		const std::lock_guard<std::mutex> hold(lock_);
		rm::HelloReply *reply = out_.mutable_hello();

		reply->set_resume_seq(in_.hello().first_seq());
		reply->set_heartbeat_interval_ms(30000);
		writing_ = true;
		StartWrite(&out_);
	}

	void
	ack(uint64_t seq)
	{
		const std::lock_guard<std::mutex> hold(lock_);

		acked_ = seq;
		if (!writing_)
			write_ack();
	}

	void
	write_ack()
	{
		out_.mutable_ack()->set_seq(acked_);
		sent_ = acked_;
		writing_ = true;
		StartWrite(&out_);
	}

	std::mutex lock_;
	rm::AgentMessage in_;
	rm::ControllerMessage out_;
	uint64_t acked_ = 0;
	uint64_t sent_ = 0;
	bool writing_ = false;
};

class Service final : public rm::Agent::CallbackService {
	grpc::ServerBidiReactor<rm::AgentMessage, rm::ControllerMessage> *
	Session(grpc::CallbackServerContext *) override
	{
		return new class Session();
	}
};

std::string
contents(const char *path)
{
	std::ifstream file(path);

	return std::string(std::istreambuf_iterator<char>(file), {});
}

} // namespace

int
main(int argc, char **argv)
{
	const bool plain = argc == 4 && std::string(argv[3]) == "plain";
	grpc::SslServerCredentialsOptions tls;
	grpc::ServerBuilder builder;
	Service service;
	sigset_t ends;
	int port = 0;
	int plain_port = 0;
	int signal_number;

	if (argc != 3 && !plain) {
		fprintf(stderr, "usage: grpc_server CERT.pem KEY.pem [plain]\n");
		return 2;
	}
	/* Before gRPC starts its threads, so that they block them too. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, nullptr);

	tls.pem_key_cert_pairs.push_back({contents(argv[2]), contents(argv[1])});
	builder.AddListeningPort(
	    "127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
	if (plain)
		builder.AddListeningPort("127.0.0.1:0",
		    grpc::InsecureServerCredentials(), &plain_port);
	builder.RegisterService(&service);
	const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server || port == 0) {
		fprintf(stderr, "grpc_server: cannot listen\n");
		return 1;
	}
	printf("tls %d\n", port);
	if (plain)
		printf("plain %d\n", plain_port);
	fflush(stdout);
	sigwait(&ends, &signal_number);
	_exit(0); /* thousands of streams are not worth waiting for */
}
