// Logs a user in and prints the user's groups, in C: c_login DIRECTORY.toml USER, the password on stdin
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <understudy/understudy.h>

// Says why, for whoever runs the service, and lets go of it.
static void complain(understudy_result* result) {
  fprintf(stderr, "%s %s\n", understudy_status_name(understudy_result_status(result)),
          understudy_result_message(result));
  understudy_result_free(result);
}

// Begins to ask, so that an event loop goes on meanwhile: this one does nothing else.
static int print_groups(understudy_client* client, const char* user) {
  understudy_result* result = NULL;
  if (understudy_submit_groups(client, user, strlen(user), 0, NULL, NULL, &result) != UNDERSTUDY_OK) {
    complain(result);
    return 1;
  }
  struct pollfd ready = {understudy_completion_fd(client), POLLIN, 0};
  while (understudy_completion_next(client, NULL, NULL, &result) == UNDERSTUDY_NO_COMPLETION) poll(&ready, 1, -1);
  if (understudy_result_status(result) != UNDERSTUDY_OK) {
    complain(result);
    return 1;
  }
  for (size_t i = 0; i < understudy_result_group_count(result); ++i) {
    const char* name = understudy_result_group_name(result, i, NULL);
    if (name != NULL) puts(name);
  }
  understudy_result_free(result);
  return 0;
}

int main(int argc, char** argv) {
  char password[1024];
  understudy_client* client = NULL;
  understudy_result* result = NULL;
  if (argc != 3 || fgets(password, sizeof password, stdin) == NULL) {
    fputs("usage: c_login DIRECTORY.toml USER, the password on stdin\n", stderr);
    return 2;
  }
  if (understudy_client_new_from_file(argv[1], &client, &result) != UNDERSTUDY_OK) {
    complain(result);
    return 2;
  }
  understudy_result_free(result);
  understudy_client_connect(client, 0, NULL);  // what is not there yet is found by later calls

  int failed = 1;
  const understudy_status status =
      understudy_authenticate(client, argv[2], strlen(argv[2]), password, strcspn(password, "\n"), 0, &result);
  understudy_wipe(password, sizeof password);
  puts(understudy_result_public_message(result));  // what the user may know
  if (status == UNDERSTUDY_OK) {
    understudy_result_free(result);
    failed = print_groups(client, argv[2]);
  } else {
    complain(result);  // what the log should
  }
  understudy_client_free(client);
  return failed;
}
