package server

import (
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
)

// errorDomain is the domain of every google.rpc.ErrorInfo.
const errorDomain = "walletscreen"

// failures is the one map from the reason of an error to its gRPC code, with how
// long to wait before trying again, where that helps.
var failures = map[pb.ErrorReason]struct {
	code  codes.Code
	retry time.Duration
}{
	pb.ErrorReason_ERROR_REASON_NO_ADDRESSES:            {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_TOO_MANY_ADDRESSES:      {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_NETWORK:         {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID:         {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_AS_OF:           {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE:    {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT:        {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID:      {code: codes.InvalidArgument},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED:    {code: codes.FailedPrecondition, retry: 2 * time.Second},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD:       {code: codes.FailedPrecondition},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD:        {code: codes.OutOfRange},
	pb.ErrorReason_ERROR_REASON_RECEIPTS_NOT_CONFIGURED: {code: codes.FailedPrecondition},
	pb.ErrorReason_ERROR_REASON_NOT_READY:               {code: codes.Unavailable, retry: time.Second},
	pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER:           {code: codes.ResourceExhausted, retry: time.Second},
	pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED:          {code: codes.ResourceExhausted, retry: time.Second},
	pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED:         {code: codes.Unauthenticated},
	pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED:       {code: codes.PermissionDenied},
	pb.ErrorReason_ERROR_REASON_INTERNAL:                {code: codes.Internal},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE:     {code: codes.Unavailable, retry: 2 * time.Second},
	pb.ErrorReason_ERROR_REASON_SERVER_STOPPING:         {code: codes.Unavailable, retry: time.Second},
	pb.ErrorReason_ERROR_REASON_OVERLOADED:              {code: codes.Unavailable, retry: time.Second},
}

// failure makes the error of a call. metadata is names and values in turn. The
// message must not contain an address.
func failure(reason pb.ErrorReason, message string, metadata ...string) error {
	return failureAfter(reason, failures[reason].retry, message, metadata...)
}

// reasonName is the name of a reason as an ErrorInfo has it.
func reasonName(reason pb.ErrorReason) string {
	return strings.TrimPrefix(reason.String(), "ERROR_REASON_")
}

// failureAfter is failure with how long to wait before trying again, 0 if that
// does not help.
func failureAfter(reason pb.ErrorReason, retry time.Duration, message string, metadata ...string) error {
	info := &errdetails.ErrorInfo{Reason: reasonName(reason), Domain: errorDomain}
	for i := 0; i+1 < len(metadata); i += 2 {
		if info.Metadata == nil {
			info.Metadata = map[string]string{}
		}
		info.Metadata[metadata[i]] = metadata[i+1]
	}
	f := failures[reason]
	details := []protoadapt.MessageV1{info}
	if retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retry)})
	}
	st, err := status.New(f.code, message).WithDetails(details...)
	if err != nil {
		return status.Error(f.code, message)
	}
	return st.Err()
}
